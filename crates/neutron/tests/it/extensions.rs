//! Clients decide by the announced aliases what they dare to ask for: what each of them promises is tried here.

use serde_json::{Value, json};

use crate::cloud::{Cloud, id, ids};

/// A network with a subnet behind a router with a gateway, a port on it, and an object of each kind beside.
struct Scene {
    cloud: Cloud,
    network: String,
    subnet: String,
    router: String,
    port: Value,
    group: Value,
    policy: String,
    pool: String,
    addresses: String,
}

impl Scene {
    async fn new() -> Scene {
        let cloud = Cloud::start().await;
        let (network, subnet, router) = cloud.behind_router("10.0.0.0/24").await;
        let port = cloud.port(&network).await;
        let group = cloud.make("security-groups", "security_group", json!({"name": "g"})).await;
        let policy = json!({"name": "p", "shared": true});
        let policy = id(&cloud.make_as("admin", "qos/policies", "policy", policy).await);
        let pool = json!({"name": "d", "prefixes": ["10.32.0.0/12"], "is_default": true, "shared": true, "default_prefixlen": 26});
        let pool = id(&cloud.make_as("admin", "subnetpools", "subnetpool", pool).await);
        let addresses = json!({"name": "a", "addresses": ["198.51.100.0/24"]});
        let addresses = id(&cloud.make("address-groups", "address_group", addresses).await);
        Scene { cloud, network, subnet, router, port, group, policy, pool, addresses }
    }

    async fn get(&self, path: &str) -> Value {
        self.cloud.get("admin", &format!("/v2.0/{path}")).await.ok(200)
    }

    async fn post(&self, collection: &str, member: &str, attributes: Value) -> Value {
        self.cloud.make_as("admin", collection, member, attributes).await
    }

    /// The member after a change of it.
    async fn put(&self, path: &str, member: &str, attributes: Value) -> Value {
        let body = json!({ member: attributes });
        self.cloud.put("admin", &format!("/v2.0/{path}"), body).await.ok(200)[member].clone()
    }

    async fn refuses(&self, path: &str, status: u16) {
        assert_eq!(self.cloud.get("admin", &format!("/v2.0/{path}")).await.status, status, "{path}");
    }

    fn port(&self) -> String {
        format!("ports/{}", id(&self.port))
    }

    /// A change of the port is shown.
    async fn port_takes(&self, attributes: Value) {
        let changed = self.put(&self.port(), "port", attributes.clone()).await;
        for (name, value) in attributes.as_object().unwrap() {
            assert_eq!(&changed[name], value, "{name}");
        }
    }

    async fn floating_ip(&self, attributes: Value) -> Value {
        let mut body = json!({"floating_network_id": self.cloud.public, "project_id": "alice"});
        body.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        self.post("floatingips", "floatingip", body).await
    }

    async fn forwarding(&self, extra: Value) -> (Value, Value) {
        let ip = id(&self.floating_ip(json!({})).await);
        let mut body = json!({
            "protocol": "tcp", "internal_port_id": self.port["id"],
            "internal_ip_address": self.port["fixed_ips"][0]["ip_address"],
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let made = self.post(&format!("floatingips/{ip}/port_forwardings"), "port_forwarding", body).await;
        (made, self.get(&format!("floatingips/{ip}")).await["floatingip"].clone())
    }

    async fn rule(&self, attributes: Value) -> Value {
        let mut body = json!({"security_group_id": self.group["id"], "direction": "ingress"});
        body.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        self.post("security-group-rules", "security_group_rule", body).await
    }

    /// Another project may be let in, and is seen to be.
    async fn shares(&self, kind: &str, object: &str) {
        let policy = json!({
            "object_type": kind, "object_id": object, "action": "access_as_shared",
            "target_tenant": "0123456789abcdef0123456789abcdef",
        });
        let made = id(&self.post("rbac-policies", "rbac_policy", policy).await);
        let listed = self.get(&format!("rbac-policies?object_type={kind}&object_id={object}")).await;
        assert!(ids(&listed["rbac_policies"]).contains(&made));
    }

    async fn qos_rule(&self, kind: &str, attributes: Value) -> Value {
        let collection = format!("qos/policies/{}/{kind}_rules", self.policy);
        let made = self.post(&collection, &format!("{kind}_rule"), attributes).await;
        let all = self.get(&collection).await;
        assert!(ids(&all[format!("{kind}_rules")]).contains(&id(&made)));
        made
    }
}

#[tokio::test]
async fn every_alias_keeps_its_promise() {
    let all = Scene::new().await.get("extensions").await;
    for extension in all["extensions"].as_array().unwrap() {
        let alias = extension["alias"].as_str().unwrap();
        let scene = Scene::new().await;
        assert!(
            network(&scene, alias).await
                || port(&scene, alias).await
                || router(&scene, alias).await
                || qos(&scene, alias).await
                || security(&scene, alias).await
                || every(&scene, alias).await
                || operator(&scene, alias).await,
            "nothing is known of {alias}"
        );
    }
}

async fn network(s: &Scene, alias: &str) -> bool {
    let path = format!("networks/{}", s.network);
    match alias {
        "net-mtu" | "net-mtu-writable" => {
            assert_eq!(s.put(&path, "network", json!({"mtu": 1400})).await["mtu"], 1400);
        }
        "network_availability_zone" => {
            assert_eq!(s.get(&path).await["network"]["availability_zones"], json!(["nova"]));
        }
        "provider" => {
            let made = s.post("networks", "network", json!({"provider:network_type": "geneve"})).await;
            assert!(made["provider:segmentation_id"].is_i64());
        }
        "external-net" => {
            assert_eq!(
                ids(&s.get("networks?router:external=true").await["networks"]),
                std::slice::from_ref(&s.cloud.public)
            );
        }
        "subnet-external-network" => {
            let inner = s.get("subnets?router:external=false").await;
            assert_eq!(ids(&inner["subnets"]), std::slice::from_ref(&s.subnet));
        }
        "network-ip-availability" => {
            let shown = s.get(&format!("network-ip-availabilities/{}", s.network)).await;
            // The router, DHCP and the port.
            assert_eq!(shown["network_ip_availability"]["used_ips"], 3);
        }
        "subnet-dns-publish-fixed-ip" => {
            let path = format!("subnets/{}", s.subnet);
            let changed = s.put(&path, "subnet", json!({"dns_publish_fixed_ip": true})).await;
            assert_eq!(changed["dns_publish_fixed_ip"], true);
        }
        "subnet-service-types" => {
            let path = format!("subnets/{}", s.subnet);
            s.put(&path, "subnet", json!({"service_types": ["network:nothing"]})).await;
            let port = json!({"port": {"network_id": s.network, "device_owner": "compute:nova"}});
            assert_eq!(s.cloud.post("alice", "/v2.0/ports", port).await.status, 409);
        }
        "subnet_allocation" | "default-subnetpools" => {
            let network = s.cloud.network("pooled").await;
            let from = if alias == "subnet_allocation" {
                json!({"network_id": network, "ip_version": 4, "subnetpool_id": s.pool, "prefixlen": 28})
            } else {
                json!({"network_id": network, "ip_version": 4, "use_default_subnetpool": true})
            };
            assert_eq!(s.post("subnets", "subnet", from).await["subnetpool_id"], json!(s.pool));
        }
        "subnet_onboard" => {
            let path = format!("/v2.0/subnetpools/{}/onboard_network_subnets", s.pool);
            s.cloud.put("admin", &path, json!({"network_id": s.network})).await.ok(200);
            assert_eq!(
                s.get(&format!("subnets/{}", s.subnet)).await["subnet"]["subnetpool_id"],
                json!(s.pool)
            );
        }
        "subnetpool-prefix-ops" => {
            let path = format!("/v2.0/subnetpools/{}/add_prefixes", s.pool);
            let more = s.cloud.put("admin", &path, json!({"prefixes": ["10.200.0.0/16"]})).await.ok(200);
            assert_eq!(more["prefixes"].as_array().unwrap().len(), 2);
        }
        "address-scope" => {
            let scope =
                s.post("address-scopes", "address_scope", json!({"name": "s", "ip_version": 4})).await;
            let pool = format!("subnetpools/{}", s.pool);
            let changed = s.put(&pool, "subnetpool", json!({"address_scope_id": scope["id"]})).await;
            assert_eq!(changed["address_scope_id"], scope["id"]);
        }
        "auto-allocated-topology" => {
            let made = s.get("auto-allocated-topology/alice").await;
            s.get(&format!("networks/{}", id(&made["auto_allocated_topology"]))).await;
        }
        "rbac-policies" => s.shares("network", &s.network).await,
        "rbac-address-scope" => {
            let scope =
                s.post("address-scopes", "address_scope", json!({"name": "s", "ip_version": 4})).await;
            s.shares("address_scope", &id(&scope)).await;
        }
        "rbac-subnetpool" => s.shares("subnetpool", &s.pool).await,
        _ => return false,
    }
    true
}

async fn port(s: &Scene, alias: &str) -> bool {
    match alias {
        "allowed-address-pairs" => {
            let pair = json!([{"mac_address": "fa:16:3e:11:22:33", "ip_address": "10.0.0.99"}]);
            s.port_takes(json!({"allowed_address_pairs": pair})).await;
        }
        "binding" => {
            s.port_takes(json!({"binding:host_id": "box", "binding:vnic_type": "normal"})).await;
            assert_eq!(s.get(&s.port()).await["port"]["binding:vif_type"], "tap");
        }
        "port-security" => {
            s.port_takes(json!({"security_groups": [], "port_security_enabled": false})).await;
        }
        "dns-integration" => s.port_takes(json!({"dns_name": "web"})).await,
        "dns-domain-ports" => s.port_takes(json!({"dns_domain": "example.org."})).await,
        "extra_dhcp_opt" => {
            let option = json!([{"opt_name": "bootfile-name", "opt_value": "x", "ip_version": 4}]);
            s.port_takes(json!({"extra_dhcp_opts": option})).await;
        }
        "ip_allocation" => {
            let none = json!({"network_id": s.network, "fixed_ips": []});
            assert_eq!(s.post("ports", "port", none).await["ip_allocation"], "none");
            assert_eq!(s.get(&s.port()).await["port"]["ip_allocation"], "immediate");
        }
        "ip-substring-filtering" => {
            let listed = s.get("ports?fixed_ips=ip_address_substr=10.0.0.").await;
            assert!(ids(&listed["ports"]).contains(&id(&s.port)));
        }
        "port-security-groups-filtering" => {
            let groups = json!({"security_groups": [s.group["id"]]});
            s.port_takes(groups).await;
            let listed = s.get(&format!("ports?security_groups={}", id(&s.group))).await;
            assert_eq!(ids(&listed["ports"]), [id(&s.port)]);
        }
        "uplink-status-propagation" | "uplink-status-propagation-updatable" => {
            s.port_takes(json!({"propagate_uplink_status": false})).await;
        }
        "port-mac-address-regenerate" => {
            let changed = s.put(&s.port(), "port", json!({"mac_address": null})).await;
            assert_ne!(changed["mac_address"], s.port["mac_address"]);
            assert_eq!(changed["fixed_ips"], s.port["fixed_ips"]);
        }
        "tag-creation" => {
            let made = s.post("networks", "network", json!({"tags": ["b", "a"]})).await;
            assert_eq!(made["tags"], json!(["a", "b"]));
        }
        "tag-ports-during-bulk-creation" => {
            let ports =
                json!({"ports": [{"network_id": s.network, "tags": ["x"]}, {"network_id": s.network}]});
            let made = s.cloud.post("alice", "/v2.0/ports", ports).await.ok(201);
            assert_eq!((&made["ports"][0]["tags"], &made["ports"][1]["tags"]), (&json!(["x"]), &json!([])));
        }
        "trunk" | "trunk-details" => {
            let sub = s.cloud.port(&s.network).await;
            let subport = json!({"port_id": sub["id"], "segmentation_id": 7, "segmentation_type": "vlan"});
            let trunk = json!({"port_id": s.port["id"], "sub_ports": [subport]});
            let trunk = s.cloud.make("trunks", "trunk", trunk).await;
            let details = s.get(&s.port()).await["port"]["trunk_details"].clone();
            assert_eq!(details["trunk_id"], trunk["id"]);
            assert_eq!(details["sub_ports"][0]["segmentation_id"], 7);
        }
        _ => return false,
    }
    true
}

async fn router(s: &Scene, alias: &str) -> bool {
    let path = format!("routers/{}", s.router);
    let port_id = &s.port["id"];
    match alias {
        "router" => assert_eq!(s.get(&path).await["router"]["id"], json!(s.router)),
        "router_availability_zone" => {
            assert_eq!(s.get(&path).await["router"]["availability_zones"], json!(["nova"]));
        }
        "ext-gw-mode" => {
            let gateway =
                json!({"external_gateway_info": {"network_id": s.cloud.public, "enable_snat": false}});
            assert_eq!(s.put(&path, "router", gateway).await["external_gateway_info"]["enable_snat"], false);
        }
        "extraroute" => {
            let routes = json!([{"destination": "198.51.100.0/24", "nexthop": "10.0.0.9"}]);
            assert_eq!(s.put(&path, "router", json!({ "routes": routes })).await["routes"], routes);
        }
        "extraroute-atomic" => {
            let route = json!({"routes": [{"destination": "198.51.100.0/24", "nexthop": "10.0.0.9"}]});
            let added = s.put(&format!("{path}/add_extraroutes"), "router", route).await;
            assert_eq!(added["routes"].as_array().unwrap().len(), 1);
        }
        "fip-port-details" => {
            let ip = s.floating_ip(json!({ "port_id": port_id })).await;
            assert_eq!(ip["port_details"]["mac_address"], s.port["mac_address"]);
        }
        "floating-ip-port-forwarding"
        | "expose-port-forwarding-in-fip"
        | "floating-ip-port-forwarding-detail" => {
            let (made, ip) = s.forwarding(json!({"internal_port": 22, "external_port": 2222})).await;
            let shown = &ip["port_forwardings"][0];
            assert_eq!((&shown["id"], &shown["internal_port_id"]), (&made["id"], port_id));
        }
        "floating-ip-port-forwarding-description" => {
            let said = json!({"internal_port": 22, "external_port": 2222, "description": "ssh"});
            assert_eq!(s.forwarding(said).await.0["description"], "ssh");
        }
        "floating-ip-port-forwarding-port-ranges" => {
            let range = json!({"internal_port_range": "80:89", "external_port_range": "8080:8089"});
            let (made, ip) = s.forwarding(range).await;
            assert_eq!(made["external_port_range"], "8080:8089");
            assert_eq!(ip["port_forwardings"][0]["internal_port_range"], "80:89");
        }
        "l3_agent_scheduler" => {
            let agents = s.get(&format!("{path}/l3-agents")).await;
            let hosted = s.get(&format!("agents/{}/l3-routers", id(&agents["agents"][0]))).await;
            assert_eq!(ids(&hosted["routers"]), std::slice::from_ref(&s.router));
        }
        _ => return false,
    }
    true
}

async fn qos(s: &Scene, alias: &str) -> bool {
    let with = json!({"qos_policy_id": s.policy});
    match alias {
        "qos" => {
            s.qos_rule("dscp_marking", json!({"dscp_mark": 26})).await;
            assert!(s.get("qos/rule-types").await["rule_types"].as_array().unwrap().len() >= 5);
            s.port_takes(with).await;
        }
        "qos-bw-limit-direction" => {
            let made = s.qos_rule("bandwidth_limit", json!({"max_kbps": 1000, "direction": "ingress"})).await;
            assert_eq!(made["direction"], "ingress");
        }
        "qos-bw-minimum-ingress" => {
            s.qos_rule("minimum_bandwidth", json!({"min_kbps": 1, "direction": "ingress"})).await;
        }
        "qos-default" => {
            let policy = json!({"name": "d", "is_default": true, "project_id": "alice"});
            let policy = s.post("qos/policies", "policy", policy).await;
            let network = s.cloud.make("networks", "network", json!({})).await;
            assert_eq!(network["qos_policy_id"], policy["id"]);
        }
        "qos-fip" => {
            let ip = s.floating_ip(with).await;
            assert_eq!(ip["qos_policy_id"], json!(s.policy));
        }
        "qos-fip-network-policy" => {
            s.put(&format!("networks/{}", s.cloud.public), "network", with).await;
            assert_eq!(s.floating_ip(json!({})).await["qos_network_policy_id"], json!(s.policy));
        }
        "qos-gateway-ip" => {
            let gateway = json!({"network_id": s.cloud.public, "qos_policy_id": s.policy});
            let changed = s
                .put(&format!("routers/{}", s.router), "router", json!({"external_gateway_info": gateway}))
                .await;
            assert_eq!(changed["external_gateway_info"]["qos_policy_id"], json!(s.policy));
        }
        "qos-port-network-policy" => {
            s.put(&format!("networks/{}", s.network), "network", with).await;
            assert_eq!(s.get(&s.port()).await["port"]["qos_network_policy_id"], json!(s.policy));
        }
        "qos-rule-type-details" => {
            let kinds = s.get("qos/rule-types").await;
            for kind in kinds["rule_types"].as_array().unwrap() {
                let kind = kind["type"].as_str().unwrap();
                let shown = s.get(&format!("qos/rule-types/{kind}")).await;
                assert!(shown["rule_type"]["drivers"][0]["supported_parameters"].is_array(), "{kind}");
            }
        }
        "qos-rules-alias" => {
            let made = s.qos_rule("minimum_bandwidth", json!({"min_kbps": 10})).await;
            s.get(&format!("qos/alias_minimum_bandwidth_rules/{}", id(&made))).await;
        }
        "qos-pps" => {
            s.qos_rule("packet_rate_limit", json!({"max_kpps": 1})).await;
        }
        "qos-pps-minimum" => {
            s.qos_rule("minimum_packet_rate", json!({"min_kpps": 1, "direction": "any"})).await;
        }
        "qos-pps-minimum-rule-alias" => {
            let made = s.qos_rule("minimum_packet_rate", json!({"min_kpps": 1})).await;
            s.get(&format!("qos/alias_minimum_packet_rate_rules/{}", id(&made))).await;
        }
        _ => return false,
    }
    true
}

async fn security(s: &Scene, alias: &str) -> bool {
    match alias {
        "security-group" => assert!(!s.group["security_group_rules"].as_array().unwrap().is_empty()),
        "security-groups-normalized-cidr" => {
            let rule = s.rule(json!({"remote_ip_prefix": "10.1.2.3/24"})).await;
            assert_eq!(rule["normalized_cidr"], "10.1.2.0/24");
        }
        "security-groups-remote-address-group" | "address-group" => {
            let rule = s.rule(json!({"remote_address_group_id": s.addresses})).await;
            assert_eq!(rule["remote_address_group_id"], json!(s.addresses));
        }
        "security-groups-rules-belongs-to-default-sg" => {
            let rules = s.get("security-group-rules?belongs_to_default_sg=true").await;
            assert!(!rules["security_group_rules"].as_array().unwrap().is_empty());
            assert_eq!(s.rule(json!({"protocol": "tcp"})).await["belongs_to_default_sg"], false);
        }
        "security-groups-default-rules" => {
            let rule = json!({"direction": "ingress", "protocol": "icmp"});
            s.post("default-security-group-rules", "default_security_group_rule", rule).await;
            let group = s.cloud.make("security-groups", "security_group", json!({"name": "after"})).await;
            let rules = group["security_group_rules"].as_array().unwrap();
            assert!(rules.iter().any(|rule| rule["protocol"] == "icmp"));
        }
        "security-groups-shared-filtering" => {
            let listed = s.get("security-groups?shared=true").await;
            assert_eq!(listed["security_groups"], json!([]));
        }
        "stateful-security-group" => {
            let made =
                s.post("security-groups", "security_group", json!({"name": "s", "stateful": false})).await;
            assert_eq!(made["stateful"], false);
        }
        "rbac-security-groups" => s.shares("security_group", &id(&s.group)).await,
        "rbac-address-group" => s.shares("address_group", &s.addresses).await,
        _ => return false,
    }
    true
}

/// What all resources have.
async fn every(s: &Scene, alias: &str) -> bool {
    let path = format!("networks/{}", s.network);
    let shown = s.get(&path).await["network"].clone();
    match alias {
        "empty-string-filtering" => {
            assert!(ids(&s.get("ports?device_id=").await["ports"]).contains(&id(&s.port)));
        }
        "filter-validation" => s.refuses("networks?colour=red", 400).await,
        "sort-key-validation" => s.refuses("networks?sort_key=colour&sort_dir=asc", 400).await,
        "sorting" => {
            let sorted = |all: &Value| {
                let names = all["networks"].as_array().unwrap().iter();
                names.map(|n| n["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(sorted(&s.get("networks?sort_key=name&sort_dir=desc").await), ["public", "inner"]);
        }
        "pagination" => {
            let page = s.get("networks?limit=1").await;
            assert_eq!(
                (page["networks"].as_array().unwrap().len(), &page["networks_links"][0]["rel"]),
                (1, &json!("next"))
            );
        }
        "project-id" => assert_eq!(shown["project_id"], shown["tenant_id"]),
        "revision-if-match" | "standard-attr-revisions" => {
            let revision = shown["revision_number"].as_i64().unwrap();
            let (path, body) = (format!("/v2.0/{path}"), json!({"network": {"name": "x"}}));
            let demand = |number: i64| format!("revision_number={number}");
            let change = async |number| {
                s.cloud.demanding("admin", "PUT", &path, Some(body.clone()), &demand(number)).await.status
            };
            assert_eq!((change(revision + 1).await, change(revision).await), (412, 200));
        }
        "standard-attr-description" => {
            assert_eq!(s.put(&path, "network", json!({"description": "d"})).await["description"], "d");
        }
        "standard-attr-timestamp" => {
            assert!(shown["created_at"].as_str() <= shown["updated_at"].as_str());
            assert_eq!(s.get("networks?changed_since=2999-01-01T00:00:00Z").await["networks"], json!([]));
        }
        "standard-attr-tag" => {
            s.cloud.put("admin", &format!("/v2.0/{path}/tags/blue"), Value::Null).await.ok(201);
            assert_eq!(ids(&s.get("networks?tags=blue").await["networks"]), std::slice::from_ref(&s.network));
        }
        "quotas" | "quota-check-limit" | "quota-check-limit-default" => {
            // Below what is used already.
            let less = json!({"quota": {"network": 0, "check_limit": true}});
            assert_eq!(s.cloud.put("admin", "/v2.0/quotas/alice", less).await.status, 400);
        }
        "quota_details" => {
            assert_eq!(s.get("quotas/alice/details").await["quota"]["network"]["used"], 1);
        }
        _ => return false,
    }
    true
}

async fn operator(s: &Scene, alias: &str) -> bool {
    match alias {
        "agent" => {
            let agents = s.get("agents?agent_type=DHCP%20agent").await;
            let path = format!("agents/{}", id(&agents["agents"][0]));
            assert_eq!(
                s.put(&path, "agent", json!({"admin_state_up": false})).await["admin_state_up"],
                false
            );
        }
        "availability_zone" => {
            assert_eq!(s.get("availability_zones").await["availability_zones"].as_array().unwrap().len(), 2);
        }
        "availability_zone_filter" => {
            let zones = s.get("availability_zones?resource=router&state=available").await;
            assert_eq!(zones["availability_zones"].as_array().unwrap().len(), 1);
            assert_eq!(s.get("availability_zones?name=mars").await["availability_zones"], json!([]));
        }
        "dhcp_agent_scheduler" => {
            let agents = s.get(&format!("networks/{}/dhcp-agents", s.network)).await;
            let hosted = s.get(&format!("agents/{}/dhcp-networks", id(&agents["agents"][0]))).await;
            assert_eq!(ids(&hosted["networks"]), std::slice::from_ref(&s.network));
        }
        "flavors" | "l3-flavors" => {
            let profile = s.post("service_profiles", "service_profile", json!({"metainfo": "plain"})).await;
            let flavor =
                json!({"name": "f", "service_type": "L3_ROUTER_NAT", "service_profiles": [profile["id"]]});
            let flavor = id(&s.post("flavors", "flavor", flavor).await);
            let router = s.cloud.make("routers", "router", json!({"flavor_id": flavor})).await;
            assert_eq!(router["flavor_id"], json!(flavor));
        }
        "floatingip-autodelete-internal" => {
            let network = s.post("networks", "network", json!({"router:external": true})).await;
            let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "203.0.113.0/24"});
            s.post("subnets", "subnet", subnet).await;
            let ip = s.floating_ip(json!({"floating_network_id": network["id"]})).await;
            s.put(&format!("networks/{}", id(&network)), "network", json!({"router:external": false})).await;
            s.refuses(&format!("floatingips/{}", id(&ip)), 404).await;
        }
        "floatingip-pools" => {
            let pools = s.get("floatingip_pools").await;
            let (subnet, network) = (&pools["floatingip_pools"][0]["subnet_id"], &s.cloud.public);
            let ip = s.floating_ip(json!({"floating_network_id": network, "subnet_id": subnet})).await;
            assert!(ip["floating_ip_address"].is_string());
        }
        "service-type" => {
            assert!(!s.get("service-providers").await["service_providers"].as_array().unwrap().is_empty());
        }
        _ => return false,
    }
    true
}
