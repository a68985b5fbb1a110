//! QoS, port forwardings, trunks, names, revisions, and lists that remember.

use serde_json::{Value, json};

use crate::cloud::{Cloud, ctx, id, ids};

#[tokio::test]
async fn policies_have_rules_and_users() {
    let cloud = Cloud::start().await;
    let policy =
        cloud.make_as("admin", "qos/policies", "policy", json!({"name": "slow", "shared": true})).await;
    let rules = format!("/v2.0/qos/policies/{}/bandwidth_limit_rules", id(&policy));
    let limit = |kbps: Value| json!({"bandwidth_limit_rule": {"max_kbps": kbps, "direction": "ingress"}});
    assert_eq!(cloud.post("alice", &rules, limit(json!(1000))).await.status, 403);
    cloud.post("admin", &rules, limit(json!(-1))).await.refused(400, "HTTPBadRequest");
    let rule = cloud.post("admin", &rules, limit(json!(1000))).await.ok(201)["bandwidth_limit_rule"].clone();
    assert_eq!((&rule["max_burst_kbps"], &rule["direction"]), (&json!(0), &json!("ingress")));
    cloud.post("admin", &rules, limit(json!(7))).await.refused(409, "QoSRulesConflict");
    let minimum = json!({"minimum_bandwidth_rule": {"min_kbps": 2000, "direction": "ingress"}});
    let minimums = format!("/v2.0/qos/policies/{}/minimum_bandwidth_rules", id(&policy));
    cloud.post("admin", &minimums, minimum).await.refused(409, "QoSRuleParameterConflict");
    let path = format!("/v2.0/qos/policies/{}", id(&policy));
    let shown = cloud.get("alice", &path).await.ok(200)["policy"].clone();
    assert_eq!(shown["rules"][0]["type"], "bandwidth_limit");
    assert_eq!(shown["revision_number"], 1);
    let network = id(&cloud.make("networks", "network", json!({"qos_policy_id": policy["id"]})).await);
    let port = cloud.port(&network).await;
    assert_eq!((&port["qos_policy_id"], &port["qos_network_policy_id"]), (&Value::Null, &policy["id"]));
    cloud.delete("admin", &path).await.refused(409, "QosPolicyInUse");
    let alias = format!("/v2.0/qos/alias_bandwidth_limit_rules/{}", id(&rule));
    let faster = json!({"alias_bandwidth_limit_rule": {"max_kbps": 3000}});
    let changed = cloud.put("admin", &alias, faster).await.ok(200);
    assert_eq!(changed["alias_bandwidth_limit_rule"]["max_kbps"], 3000);
    cloud.delete("admin", &alias).await.ok(204);
    assert_eq!(cloud.get("admin", &rules).await.ok(200), json!({"bandwidth_limit_rules": []}));
    let none = json!({"network": {"qos_policy_id": null}});
    cloud.put("alice", &format!("/v2.0/networks/{network}"), none).await.ok(200);
    cloud.delete("admin", &path).await.ok(204);
    let unknown = json!({"network": {"qos_policy_id": policy["id"]}});
    cloud.post("alice", "/v2.0/networks", unknown).await.refused(404, "QosPolicyNotFound");
}

#[tokio::test]
async fn packets_are_limited_and_promised() {
    let cloud = Cloud::start().await;
    let policy =
        id(&cloud.make_as("admin", "qos/policies", "policy", json!({"name": "p", "shared": true})).await);
    let path = format!("/v2.0/qos/policies/{policy}");
    let rules = |kind: &str| format!("{path}/{kind}_rules");
    let limit = |kpps: i64, direction: &str| json!({"packet_rate_limit_rule": {"max_kpps": kpps, "max_burst_kpps": 2, "direction": direction}});
    let limits = rules("packet_rate_limit");
    cloud.post("admin", &limits, json!({"packet_rate_limit_rule": {}})).await.refused(400, "HTTPBadRequest");
    cloud.post("admin", &limits, limit(1, "any")).await.refused(400, "HTTPBadRequest");
    let made =
        cloud.post("admin", &limits, limit(5, "egress")).await.ok(201)["packet_rate_limit_rule"].clone();
    cloud.post("admin", &limits, limit(6, "egress")).await.refused(409, "QoSRulesConflict");
    cloud.post("admin", &limits, limit(7, "ingress")).await.ok(201);
    let promise =
        |direction: &str| json!({"minimum_packet_rate_rule": {"min_kpps": 1, "direction": direction}});
    let promises = rules("minimum_packet_rate");
    let promised =
        cloud.post("admin", &promises, promise("any")).await.ok(201)["minimum_packet_rate_rule"].clone();
    cloud.post("admin", &promises, promise("egress")).await.refused(409, "QoSRuleParameterConflict");
    let alias = format!("/v2.0/qos/alias_minimum_packet_rate_rules/{}", id(&promised));
    let changed =
        cloud.put("admin", &alias, json!({"alias_minimum_packet_rate_rule": {"min_kpps": 3}})).await;
    assert_eq!(changed.ok(200)["alias_minimum_packet_rate_rule"]["min_kpps"], 3);
    let shown = cloud.get("alice", &path).await.ok(200);
    let kinds: Vec<&str> =
        shown["policy"]["rules"].as_array().unwrap().iter().map(|r| r["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["packet_rate_limit", "packet_rate_limit", "minimum_packet_rate"]);

    let network = cloud.network("n").await;
    let port = json!({
        "network_id": network, "qos_policy_id": policy, "device_owner": "compute:nova", "device_id": "vm",
    });
    let port = id(&cloud.make("ports", "port", port).await);
    let qos = async || {
        cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
        cloud.host.port(&network, &port).unwrap().qos
    };
    let rate = |per_second| Some(host::plan::PacketRate { per_second, burst: 2000 });
    assert_eq!((qos().await.egress_packets, qos().await.ingress_packets), (rate(5000), rate(7000)));
    cloud.put("admin", &format!("{limits}/{}", id(&made)), limit(9, "egress")).await.ok(200);
    assert_eq!(qos().await.egress_packets, rate(9000));
    cloud.delete("admin", &format!("{limits}/{}", id(&made))).await.ok(204);
    assert_eq!((qos().await.egress_packets, qos().await.ingress_packets), (None, rate(7000)));
}

#[tokio::test]
async fn a_page_of_policies_behind_one_that_is_hidden_is_the_first() {
    let cloud = Cloud::start().await;
    let hidden = id(&cloud.make_as("admin", "qos/policies", "policy", json!({"name": "hidden"})).await);
    let shared = cloud.make_as("admin", "qos/policies", "policy", json!({"name": "s", "shared": true})).await;
    for more in ["", "&sort_key=name&sort_dir=asc", "&tags="] {
        let page = format!("/v2.0/qos/policies?limit=1&marker={hidden}{more}");
        let listed = cloud.get("alice", &page).await.ok(200);
        assert!(ids(&listed["policies"]).iter().all(|found| *found == id(&shared)), "{more}: {listed}");
    }
    cloud
        .get("alice", &format!("/v2.0/networks?limit=1&marker={hidden}"))
        .await
        .refused(404, "NetworkNotFound");
}

#[tokio::test]
async fn a_projects_manager_makes_its_policies_and_nobody_undoes_an_admins() {
    let cloud = Cloud::start().await;
    let policy = |name: &str| json!({"policy": {"name": name}});
    let path = "/v2.0/qos/policies";
    cloud.post("alice", path, policy("own")).await.refused(403, "PolicyNotAuthorized");
    cloud.post("alice", path, policy(&"x".repeat(256))).await.refused(400, "HTTPBadRequest");
    let own = cloud.post("mona", path, policy("own")).await.ok(201)["policy"].clone();
    let mark = json!({"dscp_marking_rule": {"dscp_mark": 26}});
    let rules = format!("{path}/{}/dscp_marking_rules", id(&own));
    cloud.post("alice", &rules, mark.clone()).await.refused(403, "PolicyNotAuthorized");
    cloud.post("bob", &rules, mark.clone()).await.refused(403, "PolicyNotAuthorized");
    cloud.post("mona", &rules, mark.clone()).await.ok(201);
    assert_eq!(cloud.delete("bob", &format!("{path}/{}", id(&own))).await.status, 404);
    cloud.delete("alice", &format!("{path}/{}", id(&own))).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("mona", &format!("{path}/{}", id(&own))).await.ok(204);

    let foreign = cloud.post("admin", path, policy("admins")).await.ok(201)["policy"].clone();
    assert_eq!(cloud.put("mona", &format!("{path}/{}", id(&foreign)), policy("x")).await.status, 404);
    let network = format!("/v2.0/networks/{}", cloud.network("n").await);
    let with = |policy: &Value| json!({"network": {"qos_policy_id": policy}});
    cloud.put("admin", &network, with(&foreign["id"])).await.ok(200);
    cloud.put("alice", &network, with(&Value::Null)).await.refused(403, "PolicyRemoveAuthorizationError");
    let shared = json!({"policy": {"shared": true}});
    cloud.put("admin", &format!("{path}/{}", id(&foreign)), shared).await.ok(200);
    cloud.put("alice", &network, with(&Value::Null)).await.ok(200);
}

#[tokio::test]
async fn groups_with_and_without_state_do_not_mix_on_a_port() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let group = async |stateful: bool| {
        id(&cloud.make("security-groups", "security_group", json!({"name": "g", "stateful": stateful})).await)
    };
    let (with, without) = (group(true).await, group(false).await);
    let both = json!({"port": {"network_id": network, "security_groups": [with, without]}});
    cloud.post("alice", "/v2.0/ports", both).await.refused(409, "SecurityGroupConflict");
    let port = json!({"network_id": network, "security_groups": [without]});
    let port = id(&cloud.make("ports", "port", port).await);
    let both = json!({"port": {"security_groups": [with, without]}});
    cloud.put("alice", &format!("/v2.0/ports/{port}"), both).await.refused(409, "SecurityGroupConflict");
    let stateful = json!({"security_group": {"stateful": true}});
    cloud
        .put("alice", &format!("/v2.0/security-groups/{without}"), stateful)
        .await
        .refused(409, "SecurityGroupInUse");
    cloud.app.bind_port(&ctx("alice"), &port, "s1", "vm", "nova").await.unwrap();
    cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
    assert!(cloud.host.port(&network, &port).unwrap().stateless);
}

#[tokio::test]
async fn parts_count_as_changes_of_the_whole() {
    let cloud = Cloud::start().await;
    let revision = async |path: &str, member: &str| {
        cloud.get("admin", path).await.ok(200)[member]["revision_number"].as_i64().unwrap()
    };
    let network = cloud.network("n").await;
    let (path, at_first) = (format!("/v2.0/networks/{network}"), 0);
    let subnet = id(&cloud.subnet(&network, "10.0.0.0/24").await);
    let with_subnet = revision(&path, "network").await;
    assert!(with_subnet > at_first);
    let policy = json!({
        "object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": "*",
    });
    cloud.make_as("admin", "rbac-policies", "rbac_policy", policy).await;
    assert!(revision(&path, "network").await > with_subnet);
    let router = id(&cloud.make("routers", "router", json!({})).await);
    let (path, before) = (format!("/v2.0/routers/{router}"), 0);
    let interface = json!({ "subnet_id": subnet });
    cloud.put("alice", &format!("{path}/add_router_interface"), interface.clone()).await.ok(200);
    let with_interface = revision(&path, "router").await;
    assert!(with_interface > before);
    cloud.put("alice", &format!("{path}/remove_router_interface"), interface).await.ok(200);
    assert!(revision(&path, "router").await > with_interface);
}

#[tokio::test]
async fn new_networks_get_the_projects_default_policy() {
    let cloud = Cloud::start().await;
    let policy = json!({"name": "d", "is_default": true, "project_id": "alice"});
    let policy = cloud.make_as("admin", "qos/policies", "policy", policy).await;
    let network = cloud.make("networks", "network", json!({})).await;
    assert_eq!(network["qos_policy_id"], policy["id"]);
    let none = cloud.make("networks", "network", json!({"qos_policy_id": null})).await;
    assert_eq!(none["qos_policy_id"], Value::Null);
    let second = json!({"policy": {"name": "e", "is_default": true, "project_id": "alice"}});
    cloud.post("admin", "/v2.0/qos/policies", second).await.refused(409, "QoSPolicyDefaultAlreadyExists");
}

#[tokio::test]
async fn ports_of_a_floating_ip_lead_to_ports_of_machines() {
    let cloud = Cloud::start().await;
    let (network, _, router) = cloud.behind_router("10.0.0.0/24").await;
    let port = cloud.port(&network).await;
    let address = port["fixed_ips"][0]["ip_address"].clone();
    let ip = cloud.make("floatingips", "floatingip", json!({"floating_network_id": cloud.public})).await;
    let path = format!("/v2.0/floatingips/{}/port_forwardings", id(&ip));
    let forward = |outer: u16, inner: u16| {
        json!({"port_forwarding": {
            "protocol": "tcp", "external_port": outer, "internal_port": inner,
            "internal_ip_address": address, "internal_port_id": port["id"],
        }})
    };
    let made = cloud.post("alice", &path, forward(2222, 22)).await.ok(201)["port_forwarding"].clone();
    assert_eq!(made["external_port_range"], "2222:2222");
    cloud.post("alice", &path, forward(2222, 23)).await.refused(400, "BadRequest");
    cloud.post("alice", &path, forward(2223, 22)).await.refused(400, "BadRequest");
    cloud.post("alice", &path, forward(0, 24)).await.refused(400, "HTTPBadRequest");
    assert_eq!(cloud.post("bob", &path, forward(80, 80)).await.status, 404);
    let shown =
        cloud.get("alice", &format!("/v2.0/floatingips/{}", id(&ip))).await.ok(200)["floatingip"].clone();
    assert_eq!((&shown["router_id"], &shown["port_id"]), (&json!(router), &Value::Null));
    let brief = json!({
        "id": made["id"], "internal_port_id": port["id"], "protocol": "tcp", "internal_ip_address": address,
        "internal_port": 22, "external_port": 2222,
    });
    assert_eq!(shown["port_forwardings"], json!([brief]));
    let refused = cloud.delete("alice", &format!("/v2.0/floatingips/{}", id(&ip))).await;
    refused.refused(409, "FipInUseByPortForwarding");
    let bind = json!({"floatingip": {"port_id": port["id"]}});
    let refused = cloud.put("alice", &format!("/v2.0/floatingips/{}", id(&ip)), bind).await;
    refused.refused(409, "FipInUseByPortForwarding");
    let ranges = json!({"port_forwarding": {
        "protocol": "udp", "external_port_range": "5000:5009", "internal_port_range": "6000:6004",
        "internal_ip_address": address, "internal_port_id": port["id"],
    }});
    cloud.post("alice", &path, ranges).await.refused(400, "BadRequest");
    let one = format!("{path}/{}", id(&made));
    let changed = cloud.put("alice", &one, json!({"port_forwarding": {"external_port": 2200}})).await.ok(200);
    assert_eq!(changed["port_forwarding"]["external_port"], 2200);
    cloud.delete("alice", &one).await.ok(204);
    let shown = cloud.get("alice", &format!("/v2.0/floatingips/{}", id(&ip))).await.ok(200);
    assert_eq!(shown["floatingip"]["router_id"], Value::Null);
    // With its port a forwarding goes.
    cloud.post("alice", &path, forward(2222, 22)).await.ok(201);
    cloud.delete("alice", &format!("/v2.0/ports/{}", id(&port))).await.ok(204);
    assert_eq!(cloud.get("alice", &path).await.ok(200), json!({"port_forwardings": []}));
}

#[tokio::test]
async fn a_trunk_carries_subports() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let (parent, child) = (id(&cloud.port(&network).await), id(&cloud.port(&network).await));
    let sub =
        |port: &str, tag: u16| json!({"port_id": port, "segmentation_type": "vlan", "segmentation_id": tag});
    let trunk = json!({"name": "t", "port_id": parent, "sub_ports": [sub(&child, 7)]});
    let trunk = cloud.make("trunks", "trunk", trunk).await;
    let path = format!("/v2.0/trunks/{}", id(&trunk));
    assert_eq!(trunk["sub_ports"], json!([sub(&child, 7)]));
    let shown = cloud.get("alice", &format!("/v2.0/ports/{parent}")).await.ok(200)["port"].clone();
    assert_eq!(shown["trunk_details"]["sub_ports"][0]["segmentation_id"], 7);
    let shown = cloud.get("alice", &format!("/v2.0/ports/{child}")).await.ok(200)["port"].clone();
    assert_eq!((&shown["device_owner"], &shown["device_id"]), (&json!("trunk:subport"), &trunk["id"]));
    cloud.delete("alice", &format!("/v2.0/ports/{parent}")).await.refused(409, "PortInUseAsTrunkParent");
    cloud.delete("alice", &format!("/v2.0/ports/{child}")).await.refused(409, "PortInUseAsSubPort");
    let other = id(&cloud.port(&network).await);
    let add = json!({"sub_ports": [sub(&other, 7)]});
    cloud.put("alice", &format!("{path}/add_subports"), add).await.refused(409, "DuplicateSubPort");
    let add = json!({"sub_ports": [sub(&child, 8)]});
    cloud.put("alice", &format!("{path}/add_subports"), add).await.refused(409, "TrunkPortInUse");
    let add = json!({"sub_ports": [sub(&other, 8)]});
    let added = cloud.put("alice", &format!("{path}/add_subports"), add).await.ok(200);
    assert_eq!(added["sub_ports"].as_array().unwrap().len(), 2);
    let remove = json!({"sub_ports": [{"port_id": other}]});
    cloud.put("alice", &format!("{path}/remove_subports"), remove.clone()).await.ok(200);
    let again = cloud.put("alice", &format!("{path}/remove_subports"), remove).await;
    again.refused(404, "SubPortNotFound");
    assert_eq!(cloud.get("bob", &path).await.status, 404);
    cloud.delete("alice", &path).await.ok(204);
    cloud.delete("alice", &format!("/v2.0/ports/{child}")).await.ok(204);
}

#[tokio::test]
async fn a_subport_has_its_networks_tag_if_it_is_asked_to() {
    let cloud = Cloud::start().await;
    let provider = async |kind: &str| {
        let network = json!({"provider:network_type": kind, "project_id": "alice"});
        id(&cloud.make_as("admin", "networks", "network", network).await)
    };
    let (vlan, vxlan) = (provider("vlan").await, provider("vxlan").await);
    let parent = id(&cloud.port(&cloud.network("n").await).await);
    let with = |port: &Value| {
        let sub_ports = json!([{"port_id": port["id"], "segmentation_type": "inherit"}]);
        json!({"trunk": {"port_id": parent, "sub_ports": sub_ports}})
    };
    let on_vxlan = cloud.port(&vxlan).await;
    cloud.post("alice", "/v2.0/trunks", with(&on_vxlan)).await.refused(400, "InvalidInput");
    let on_vlan = cloud.port(&vlan).await;
    let trunk = cloud.post("alice", "/v2.0/trunks", with(&on_vlan)).await.ok(201)["trunk"].clone();
    assert_eq!(trunk["sub_ports"][0]["segmentation_type"], "vlan");
    assert_eq!(trunk["sub_ports"][0]["segmentation_id"], 1);
}

#[tokio::test]
async fn a_trunk_and_its_subports_follow_their_parent() {
    let cloud = Cloud::start().await;
    let alice = ctx("alice");
    let (home, blue) = (cloud.network("home").await, cloud.network("blue").await);
    let (parent, child) = (id(&cloud.port(&home).await), id(&cloud.port(&blue).await));
    let sub = json!([{"port_id": child, "segmentation_type": "vlan", "segmentation_id": 7}]);
    let trunk = cloud.make("trunks", "trunk", json!({"port_id": parent, "sub_ports": sub})).await;
    let (trunk, child_path) = (format!("/v2.0/trunks/{}", id(&trunk)), format!("/v2.0/ports/{child}"));
    cloud.app.bind_port(&alice, &parent, "s1", "vm", "nova").await.unwrap();
    cloud.until_shows(&child_path, "/port/binding:host_id", json!("box")).await;
    cloud.app.set_port_status(std::slice::from_ref(&parent), true).await.unwrap();
    cloud.until_shows(&trunk, "/trunk/status", json!("ACTIVE")).await;
    cloud.until_shows(&child_path, "/port/status", json!("ACTIVE")).await;
    let plan = cloud.host.port(&home, &parent).unwrap();
    assert_eq!((plan.subports[0].vlan, &plan.subports[0].network_id), (7, &blue));
    cloud
        .until("the subport is a machine's", || async {
            cloud.host.port(&blue, &child).is_some_and(|port| port.kind == host::plan::PortKind::Vm)
        })
        .await;
    // A machine that cannot serve it says so, and a trunk without subports is whole.
    let fault = [(child.clone(), "no programs here".to_owned())].into();
    cloud.host.unserved.lock().unwrap().insert(home.clone(), fault);
    cloud.app.ensure_plugged(std::slice::from_ref(&home)).await.unwrap();
    cloud.until_shows(&trunk, "/trunk/status", json!("DEGRADED")).await;
    cloud.until_shows(&child_path, "/port/status", json!("DOWN")).await;
    cloud.host.unserved.lock().unwrap().clear();
    let remove = json!({"sub_ports": [{"port_id": child}]});
    cloud.put("alice", &format!("{trunk}/remove_subports"), remove).await.ok(200);
    cloud.until_shows(&trunk, "/trunk/status", json!("ACTIVE")).await;
    cloud
        .until("no subport", || async {
            cloud.host.port(&home, &parent).is_some_and(|port| port.subports.is_empty())
        })
        .await;
    cloud.app.unbind_port(&alice, &parent).await.unwrap();
    cloud.until_shows(&trunk, "/trunk/status", json!("DOWN")).await;
}

#[tokio::test]
async fn ports_have_names() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let port = cloud.make("ports", "port", json!({"network_id": network, "dns_name": "Web"})).await;
    assert_eq!(port["dns_name"], "web");
    assert_eq!(port["dns_assignment"][0]["fqdn"], "web.cloud.internal.");
    let nameless = cloud.port(&network).await;
    let address = nameless["fixed_ips"][0]["ip_address"].as_str().unwrap().replace('.', "-");
    assert_eq!(nameless["dns_assignment"][0]["hostname"], format!("host-{address}"));
    let bad = json!({"port": {"network_id": network, "dns_name": "-x"}});
    cloud.post("alice", "/v2.0/ports", bad).await.refused(400, "HTTPBadRequest");
    let options = json!([{"opt_name": "bootfile-name", "opt_value": "pxe"}]);
    let port = cloud.make("ports", "port", json!({"network_id": network, "extra_dhcp_opts": options})).await;
    assert_eq!(port["extra_dhcp_opts"][0]["ip_version"], 4);
    let gone = json!({"port": {"extra_dhcp_opts": [{"opt_name": "bootfile-name", "opt_value": null}]}});
    let port = cloud.put("alice", &format!("/v2.0/ports/{}", id(&port)), gone).await.ok(200);
    assert_eq!(port["port"]["extra_dhcp_opts"], json!([]));
}

#[tokio::test]
async fn a_new_slaac_subnet_gives_addresses_to_the_ports_that_are_there() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let port = id(&cloud.port(&network).await);
    let six = json!({
        "network_id": network, "ip_version": 6, "cidr": "fd00:1::/64",
        "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac",
    });
    cloud.make("subnets", "subnet", six).await;
    let shown = cloud.get("alice", &format!("/v2.0/ports/{port}")).await.ok(200)["port"].clone();
    assert_eq!(shown["fixed_ips"].as_array().unwrap().len(), 2);
    assert!(shown["fixed_ips"][1]["ip_address"].as_str().unwrap().starts_with("fd00:1::f816:3eff:"));
    // Its address follows its MAC address.
    let mac = json!({"port": {"mac_address": "fa:16:3e:00:00:99"}});
    let shown = cloud.put("alice", &format!("/v2.0/ports/{port}"), mac).await.ok(200)["port"].clone();
    assert_eq!(shown["fixed_ips"][1]["ip_address"], "fd00:1::f816:3eff:fe00:99");
}

#[tokio::test]
async fn a_change_can_demand_a_revision() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let path = format!("/v2.0/networks/{network}");
    let change = json!({"network": {"name": "m"}});
    let demand = |revision: &str| format!("revision_number={revision}");
    let old = cloud.demanding("alice", "PUT", &path, Some(change.clone()), &demand("7")).await;
    old.refused(412, "RevisionNumberConstraintFailed");
    let bad = cloud.demanding("alice", "PUT", &path, Some(change.clone()), "x").await;
    bad.refused(400, "HTTPBadRequest");
    cloud.demanding("alice", "PUT", &path, Some(change), &demand("0")).await.ok(200);
    cloud
        .demanding("alice", "DELETE", &path, None, &demand("0"))
        .await
        .refused(412, "RevisionNumberConstraintFailed");
    cloud.demanding("alice", "DELETE", &path, None, &demand("1")).await.ok(204);
}

#[tokio::test]
async fn lists_show_every_change_and_to_everybody_only_theirs() {
    let cloud = Cloud::start().await;
    let list = async |token: &'static str| {
        ids(&cloud.get(token, "/v2.0/networks?shared=false").await.ok(200)["networks"])
    };
    let before = list("alice").await;
    assert_eq!(list("alice").await, before);
    let network = cloud.network("n").await;
    assert_eq!(list("alice").await.len(), before.len() + 1);
    assert_eq!(list("bob").await, before);
    assert!(list("admin").await.contains(&network));
    let shown = cloud.get("admin", "/v2.0/networks").await.ok(200);
    assert!(shown["networks"][0].get("provider:network_type").is_some());
    let shown = cloud.get("alice", "/v2.0/networks").await.ok(200);
    assert!(shown["networks"][0].get("provider:network_type").is_none());
    cloud.delete("alice", &format!("/v2.0/networks/{network}")).await.ok(204);
    assert_eq!(list("alice").await, before);
}

#[tokio::test]
async fn pages_cut_by_the_database_are_those_of_the_whole_list() {
    let cloud = Cloud::start().await;
    for n in 0..7 {
        cloud.make("networks", "network", json!({"name": format!("n{}", n % 3), "mtu": 1400 + n % 2})).await;
    }
    for order in [
        "sort_key=name&sort_dir=asc",
        "sort_key=name&sort_dir=desc&sort_key=mtu&sort_dir=asc",
        "sort_key=mtu&sort_dir=desc&sort_key=id&sort_dir=desc",
        "sort_key=admin_state_up&sort_dir=asc&sort_key=created_at&sort_dir=desc",
        "project_id=alice",
    ] {
        let whole = ids(&cloud.get("alice", &format!("/v2.0/networks?{order}")).await.ok(200)["networks"]);
        let mut paged = Vec::new();
        loop {
            let marker = paged.last().map_or_else(String::new, |id| format!("&marker={id}"));
            let path = format!("/v2.0/networks?{order}&limit=2{marker}");
            let page = ids(&cloud.get("alice", &path).await.ok(200)["networks"]);
            if page.is_empty() {
                break;
            }
            // The way back leads to the same rows.
            let back = format!("/v2.0/networks?{order}&limit=9&page_reverse=True&marker={}", page[0]);
            let back = ids(&cloud.get("alice", &back).await.ok(200)["networks"]);
            assert_eq!(back, paged, "{order}");
            paged.extend(page);
        }
        assert_eq!(paged, whole, "{order}");
    }
    let nobodys = format!("/v2.0/networks?limit=1&marker={}", base::id::uuid());
    cloud.get("alice", &nobodys).await.refused(404, "NetworkNotFound");
}

#[tokio::test]
async fn addresses_are_counted() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/29").await;
    cloud.port(&network).await;
    let path = format!("/v2.0/network-ip-availabilities/{network}");
    assert_eq!(cloud.get("alice", &path).await.status, 403);
    let shown = cloud.get("admin", &path).await.ok(200)["network_ip_availability"].clone();
    // One of the six is the gateway's; DHCP's and the port's are in use.
    assert_eq!((&shown["total_ips"], &shown["used_ips"]), (&json!(5), &json!(2)));
    let list = cloud.get("admin", "/v2.0/network-ip-availabilities?ip_version=6").await.ok(200);
    assert_eq!(list["network_ip_availabilities"], json!([]));
    let list = cloud.get("admin", "/v2.0/network-ip-availabilities?network_name=n").await.ok(200);
    assert_eq!(list["network_ip_availabilities"][0]["subnet_ip_availability"][0]["cidr"], "10.0.0.0/29");
}
