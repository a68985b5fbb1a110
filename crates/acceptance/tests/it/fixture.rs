//! One thing of every kind in a cloud, so that any route of the list can be called on something that exists.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Cloud, poll, text};

/// Things made by `owner`, and by `admin` where only an admin may. Keyed by service and the noun in the path:
/// `("compute", "servers")`.
pub struct Fixture {
    pub admin: Client,
    pub owner: Client,
    pub ids: BTreeMap<(&'static str, &'static str), String>,
    count: u32,
}

const MADE: [(&str, &str); 56] = [
    ("identity", "domains"),
    ("identity", "projects"),
    ("identity", "users"),
    ("identity", "groups"),
    ("identity", "roles"),
    ("identity", "regions"),
    ("identity", "services"),
    ("identity", "endpoints"),
    ("identity", "credentials"),
    ("image", "images"),
    ("network", "networks"),
    ("network", "subnets"),
    ("network", "routers"),
    ("network", "ports"),
    ("network", "security-groups"),
    ("network", "security-group-rules"),
    ("network", "floatingips"),
    ("network", "subnetpools"),
    ("network", "address-scopes"),
    ("network", "rbac-policies"),
    ("network", "trunks"),
    ("network", "policies"),
    ("network", "address-groups"),
    ("compute", "flavors"),
    ("compute", "os-keypairs"),
    ("compute", "os-server-groups"),
    ("compute", "os-aggregates"),
    ("compute", "servers"),
    ("identity", "application_credentials"),
    ("identity", "trusts"),
    ("identity", "policies"),
    ("placement", "resource_providers"),
    ("placement", "resource_classes"),
    ("placement", "traits"),
    ("volume", "types"),
    ("volume", "qos-specs"),
    ("volume", "volumes"),
    ("volume", "snapshots"),
    ("volume", "attachments"),
    ("volume", "volume-transfers"),
    ("volume", "backups"),
    ("volume", "group_types"),
    ("volume", "groups"),
    ("volume", "group_snapshots"),
    ("key-manager", "secrets"),
    ("key-manager", "containers"),
    ("key-manager", "orders"),
    ("load-balancer", "loadbalancers"),
    ("load-balancer", "listeners"),
    ("load-balancer", "pools"),
    ("load-balancer", "healthmonitors"),
    ("load-balancer", "l7policies"),
    ("load-balancer", "flavorprofiles"),
    ("load-balancer", "flavors"),
    ("load-balancer", "availabilityzoneprofiles"),
    ("load-balancer", "availabilityzones"),
];

impl Fixture {
    pub async fn make(cloud: &Cloud) -> Fixture {
        let (admin, owner) = (cloud.admin().await, cloud.member("owner").await);
        let mut fixture = Fixture { admin, owner, ids: BTreeMap::new(), count: 0 };
        let external = fixture.admin.get("/network/v2.0/networks?router:external=true").await.expect(200);
        fixture.ids.insert(("network", "external"), text(&external["networks"][0]["id"]).to_owned());
        fixture.set_quotas().await;
        for (service, noun) in MADE {
            fixture.remake(service, noun).await;
        }
        let (project, user) = (fixture.owner.project_id.clone(), fixture.owner.user_id.clone());
        fixture.ids.insert(("compute", "os-quota-sets"), project.clone());
        fixture.ids.insert(("compute", "os-simple-tenant-usage"), project.clone());
        fixture.ids.insert(("network", "quotas"), project.clone());
        fixture.ids.insert(("volume", "os-quota-sets"), project.clone());
        fixture.ids.insert(("volume", "default-types"), project.clone());
        fixture.ids.insert(("key-manager", "project-quotas"), project.clone());
        fixture.ids.insert(("load-balancer", "quotas"), project.clone());
        fixture.ids.insert(("load-balancer", "providers"), "haproxy".into());
        fixture.ids.insert(("image", "members"), project);
        fixture.ids.insert(("identity", "owner"), user);
        for (noun, path, key) in [
            ("os-hypervisors", "/compute/v2.1/os-hypervisors", "hypervisors"),
            ("os-services", "/compute/v2.1/os-services", "services"),
        ] {
            let list = fixture.admin.get(path).await.expect(200);
            let id = text(&list[key][0]["id"]).to_owned();
            fixture.ids.insert(("compute", noun), id);
        }
        fixture
    }

    pub fn id(&self, service: &'static str, noun: &'static str) -> &str {
        self.ids.get(&(service, noun)).map_or("", String::as_str)
    }

    /// The owner's quotas as the fixture needs them: no limit on volumes, of which everybody makes some, and the
    /// defaults of the other services, whatever a call has made of them.
    pub async fn set_quotas(&self) {
        let project = &self.owner.project_id;
        for quotas in [
            "/compute/v2.1/os-quota-sets",
            "/network/v2.0/quotas",
            "/load-balancer/v2/lbaas/quotas",
            "/key-manager/v1/project-quotas",
        ] {
            let answer = self.admin.delete(&format!("{quotas}/{project}")).await;
            assert!(matches!(answer.status, 202 | 204 | 404), "{quotas}: {} {}", answer.status, answer.body);
        }
        let many = ["volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "groups"];
        let many = json!({"quota_set": BTreeMap::from(many.map(|resource| (resource, -1)))});
        self.admin.put(&format!("/volume/v3/os-quota-sets/{project}"), many).await.expect(200);
    }

    /// A new thing of this kind, after the old one was deleted. A kind that this cloud does not serve has none.
    pub async fn remake(&mut self, service: &'static str, noun: &'static str) {
        if matches!(noun, "attachments" | "volume-transfers" | "backups") {
            // A volume of its own: it is of no use to anybody else then.
            self.make_volume(noun).await;
        }
        if noun == "snapshots" && self.ids.contains_key(&(service, noun)) {
            // Somebody may have reserved or attached the first one's.
            self.make_volume("snapshots").await;
            let own = self.id("volume of", "snapshots").to_owned();
            self.ids.insert(("volume", "volumes"), own);
        }
        if noun == "group_snapshots" {
            self.make_group(noun).await;
        }
        let name = format!("{}-{}", noun.trim_start_matches("os-"), self.next());
        let (as_admin, path, body) = self.body(service, noun, &name);
        let client = if as_admin { &self.admin } else { &self.owner };
        if service == "load-balancer" && !noun.contains("flavor") && !noun.contains("zone") {
            self.balanced(noun).await;
        }
        let method = if noun == "traits" { Method::PUT } else { Method::POST };
        // Placement answers some of these with nothing but a status.
        let told =
            id_in(&body).or_else(|| path.rsplit('/').next().filter(|_| noun == "traits").map(str::to_owned));
        let answer = client.call(method, &path, Some(body)).await;
        if answer.status == 404
            && !matches!(answer.body["NeutronError"]["type"].as_str(), Some("NetworkNotFound"))
        {
            return;
        }
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
        let id = id_in(&answer.body).or(told).expect("an id");
        match (service, noun) {
            ("compute", "servers") => {
                let path = format!("/compute/v2.1/servers/{id}");
                poll("the server", 20, async || {
                    let server = self.owner.get(&path).await.expect(200);
                    (server["server"]["status"] == "ACTIVE").then_some(())
                })
                .await;
            }
            ("volume", "volumes" | "snapshots" | "backups" | "group_snapshots") => self.rest(noun, &id).await,
            ("image", "images") => {
                let file = format!("/image/v2/images/{id}/file");
                let sent = self.owner.send(Method::PUT, &file, "application/octet-stream", vec![0; 512]);
                sent.await.expect(204);
            }
            _ => {}
        }
        self.ids.insert((service, noun), id);
    }

    /// Until a new volume or snapshot is there.
    async fn rest(&self, noun: &str, id: &str) {
        let path = format!("/volume/v3/{noun}/{id}");
        poll("the volume", 20, async || {
            let seen = self.owner.get(&path).await.expect(200);
            (seen[noun.trim_end_matches('s')]["status"] == "available").then_some(())
        })
        .await;
    }

    /// Waits until the load balancer may be changed.
    async fn balanced(&self, noun: &str) {
        let path =
            format!("/load-balancer/v2/lbaas/loadbalancers/{}", self.id("load-balancer", "loadbalancers"));
        if noun == "loadbalancers" {
            return;
        }
        poll("the load balancer", 20, async || {
            let answer = self.owner.get(&path).await;
            (answer.status == 404 || answer.body["loadbalancer"]["provisioning_status"] == "ACTIVE")
                .then_some(())
        })
        .await;
    }

    async fn make_volume(&mut self, of: &'static str) {
        let body = json!({"volume": {"size": 1}});
        let made = self.owner.post("/volume/v3/volumes", body).await.expect(202);
        let id = text(&made["volume"]["id"]).to_owned();
        self.rest("volumes", &id).await;
        self.ids.insert(("volume of", of), id);
    }

    /// A group with a volume.
    async fn make_group(&mut self, of: &'static str) {
        let body = json!({"group_type": self.id("volume", "group_types"), "volume_types": ["__DEFAULT__"]});
        let made = self.owner.post("/volume/v3/groups", json!({ "group": body })).await.expect(202);
        let id = text(&made["group"]["id"]).to_owned();
        let body = json!({"size": 1, "volume_type": "__DEFAULT__", "group_id": id});
        let made = self.owner.post("/volume/v3/volumes", json!({ "volume": body })).await.expect(202);
        self.rest("volumes", text(&made["volume"]["id"])).await;
        self.ids.insert(("group of", of), id);
    }

    fn body(&self, service: &str, noun: &str, name: &str) -> (bool, String, Value) {
        let id = |service, noun| self.id(service, noun);
        let net = |path: &str| format!("/network/v2.0/{path}");
        let named = || json!({ "name": name });
        let in_default = || json!({"name": name, "domain_id": "default"});
        let one = self.count % 250;
        match (service, noun) {
            ("identity", "domains") => {
                // An enabled one cannot be deleted.
                (true, "/identity/v3/domains".into(), json!({"domain": {"name": name, "enabled": false}}))
            }
            ("identity", "projects") => {
                (true, "/identity/v3/projects".into(), json!({"project": in_default()}))
            }
            ("identity", "users") => (
                true,
                "/identity/v3/users".into(),
                json!({"user": {"name": name, "password": "secret", "domain_id": "default"}}),
            ),
            ("identity", "groups") => (true, "/identity/v3/groups".into(), json!({"group": in_default()})),
            ("identity", "roles") => (true, "/identity/v3/roles".into(), json!({"role": named()})),
            ("identity", "regions") => (true, "/identity/v3/regions".into(), json!({"region": {"id": name}})),
            ("identity", "services") => {
                (true, "/identity/v3/services".into(), json!({"service": {"name": name, "type": name}}))
            }
            ("identity", "endpoints") => {
                let of = id("identity", "services");
                let body = json!({"service_id": of, "interface": "public", "url": "http://127.0.0.1:9/"});
                (true, "/identity/v3/endpoints".into(), json!({ "endpoint": body }))
            }
            ("identity", "credentials") => {
                let body = json!({"user_id": self.owner.user_id, "type": "cert", "blob": "{}"});
                (false, "/identity/v3/credentials".into(), json!({ "credential": body }))
            }
            ("identity", "application_credentials") => {
                let path = format!("/identity/v3/users/{}/application_credentials", self.owner.user_id);
                let rules = json!([{"path": "/v2.1/servers", "method": "GET", "service": "compute"}]);
                (false, path, json!({"application_credential": {"name": name, "access_rules": rules}}))
            }
            ("identity", "trusts") => {
                let body = json!({
                    "trustor_user_id": self.owner.user_id, "trustee_user_id": self.admin.user_id,
                    "project_id": self.owner.project_id, "impersonation": false, "roles": [{"name": "member"}],
                });
                (false, "/identity/v3/OS-TRUST/trusts".into(), json!({ "trust": body }))
            }
            ("identity", "policies") => {
                let body = json!({"blob": "{}", "type": "application/json"});
                (true, "/identity/v3/policies".into(), json!({ "policy": body }))
            }
            ("image", "images") => {
                let body = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
                (false, "/image/v2/images".into(), body)
            }
            ("network", "networks") => (false, net("networks"), json!({"network": named()})),
            ("network", "subnets") => {
                let cidr = format!("10.3.{one}.0/24");
                let body = json!({"network_id": id("network", "networks"), "ip_version": 4, "cidr": cidr});
                (false, net("subnets"), json!({ "subnet": body }))
            }
            ("network", "ports") => {
                let body = json!({"network_id": id("network", "networks"), "name": name});
                (false, net("ports"), json!({ "port": body }))
            }
            ("network", "routers") => (false, net("routers"), json!({"router": named()})),
            ("network", "security-groups") => {
                (false, net("security-groups"), json!({"security_group": named()}))
            }
            ("network", "security-group-rules") => {
                let body = json!({
                    "security_group_id": id("network", "security-groups"), "direction": "ingress",
                    "protocol": "tcp", "port_range_min": self.count, "port_range_max": self.count,
                });
                (false, net("security-group-rules"), json!({ "security_group_rule": body }))
            }
            ("network", "floatingips") => {
                let body = json!({"floating_network_id": self.external()});
                (false, net("floatingips"), json!({ "floatingip": body }))
            }
            ("network", "subnetpools") => {
                let body = json!({"name": name, "prefixes": ["10.77.0.0/16"], "default_prefixlen": 26});
                (false, net("subnetpools"), json!({ "subnetpool": body }))
            }
            ("network", "address-scopes") => {
                (false, net("address-scopes"), json!({"address_scope": {"name": name, "ip_version": 4}}))
            }
            ("network", "rbac-policies") => {
                let body = json!({
                    "object_type": "network", "object_id": id("network", "networks"),
                    "action": "access_as_shared", "target_tenant": format!("{:032x}", self.count),
                });
                (false, net("rbac-policies"), json!({ "rbac_policy": body }))
            }
            ("network", "trunks") => {
                (false, net("trunks"), json!({"trunk": {"name": name, "port_id": id("network", "ports")}}))
            }
            ("network", "policies") => {
                let body = json!({"name": name, "project_id": self.owner.project_id});
                (true, net("qos/policies"), json!({ "policy": body }))
            }
            ("network", "address-groups") => {
                let body = json!({"name": name, "addresses": ["10.8.0.0/24"]});
                (false, net("address-groups"), json!({ "address_group": body }))
            }
            ("compute", "flavors") => {
                let body = json!({"name": name, "ram": 64, "vcpus": 1, "disk": 1});
                (true, "/compute/v2.1/flavors".into(), json!({ "flavor": body }))
            }
            ("compute", "os-keypairs") => {
                let body = json!({"name": name, "type": "ssh", "public_key": KEY});
                (false, "/compute/v2.1/os-keypairs".into(), json!({ "keypair": body }))
            }
            ("compute", "os-server-groups") => {
                let body = json!({"name": name, "policy": "affinity"});
                (false, "/compute/v2.1/os-server-groups".into(), json!({ "server_group": body }))
            }
            ("compute", "os-aggregates") => {
                (true, "/compute/v2.1/os-aggregates".into(), json!({"aggregate": named()}))
            }
            ("compute", "servers") => {
                let body = json!({
                    "name": name, "imageRef": id("image", "images"), "flavorRef": id("compute", "flavors"),
                    "networks": [{"uuid": id("network", "networks")}], "metadata": {"key": "value"},
                });
                (false, "/compute/v2.1/servers".into(), json!({ "server": body }))
            }
            ("volume", "types") => (true, "/volume/v3/types".into(), json!({"volume_type": named()})),
            ("volume", "qos-specs") => (true, "/volume/v3/qos-specs".into(), json!({"qos_specs": named()})),
            ("volume", "volumes") => {
                let body = json!({"name": name, "size": 1, "metadata": {"key": "value"}});
                (false, "/volume/v3/volumes".into(), json!({ "volume": body }))
            }
            ("volume", "snapshots") => {
                let body =
                    json!({"name": name, "volume_id": id("volume", "volumes"), "metadata": {"key": "value"}});
                (false, "/volume/v3/snapshots".into(), json!({ "snapshot": body }))
            }
            ("volume", "attachments") => {
                let body = json!({"volume_uuid": id("volume of", "attachments")});
                (false, "/volume/v3/attachments".into(), json!({ "attachment": body }))
            }
            ("volume", "backups") => {
                let body = json!({"volume_id": id("volume of", "backups"), "name": name});
                (false, "/volume/v3/backups".into(), json!({ "backup": body }))
            }
            ("volume", "group_types") => {
                (true, "/volume/v3/group_types".into(), json!({"group_type": named()}))
            }
            ("volume", "groups") => {
                let kind = id("volume", "group_types");
                let body = json!({"name": name, "group_type": kind, "volume_types": ["__DEFAULT__"]});
                (false, "/volume/v3/groups".into(), json!({ "group": body }))
            }
            ("volume", "group_snapshots") => {
                let body = json!({"name": name, "group_id": id("group of", "group_snapshots")});
                (false, "/volume/v3/group_snapshots".into(), json!({ "group_snapshot": body }))
            }
            ("volume", "volume-transfers") => {
                let body = json!({"volume_id": id("volume of", "volume-transfers"), "name": name});
                (false, "/volume/v3/volume-transfers".into(), json!({ "transfer": body }))
            }
            ("placement", "resource_providers") => {
                let uuid = format!("33333333-3333-3333-3333-{:012}", self.count);
                (true, "/placement/resource_providers".into(), json!({"uuid": uuid, "name": name}))
            }
            ("placement", "resource_classes") => {
                (true, "/placement/resource_classes".into(), json!({"name": format!("CUSTOM_{one}")}))
            }
            ("placement", "traits") => (true, format!("/placement/traits/CUSTOM_{one}"), json!({})),
            ("key-manager", "secrets") => {
                let body = json!({"name": name, "payload": "x", "payload_content_type": "text/plain"});
                (false, "/key-manager/v1/secrets".into(), body)
            }
            ("key-manager", "containers") => {
                (false, "/key-manager/v1/containers".into(), json!({"name": name, "type": "generic"}))
            }
            ("key-manager", "orders") => {
                let meta = json!({"name": name, "algorithm": "aes", "bit_length": 128});
                (false, "/key-manager/v1/orders".into(), json!({"type": "key", "meta": meta}))
            }
            ("load-balancer", noun) => self.balancer_body(noun, name),
            other => panic!("nothing is known of {other:?}"),
        }
    }

    fn balancer_body(&self, noun: &str, name: &str) -> (bool, String, Value) {
        let id = |noun| self.id("load-balancer", noun);
        let path = format!("/load-balancer/v2/lbaas/{noun}");
        let port = 1000 + self.count;
        let (as_admin, member, body) = match noun {
            "loadbalancers" => {
                (false, "loadbalancer", json!({"name": name, "vip_subnet_id": self.id("network", "subnets")}))
            }
            "listeners" => {
                let of = id("loadbalancers");
                let body = json!({"protocol": "HTTP", "protocol_port": port, "loadbalancer_id": of});
                (false, "listener", body)
            }
            "pools" => {
                let of = id("loadbalancers");
                let body = json!({"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "loadbalancer_id": of});
                (false, "pool", body)
            }
            "healthmonitors" => {
                let of = id("pools");
                let body = json!({"type": "TCP", "delay": 3, "timeout": 2, "max_retries": 2, "pool_id": of});
                (false, "healthmonitor", body)
            }
            "l7policies" => (false, "l7policy", json!({"action": "REJECT", "listener_id": id("listeners")})),
            "flavorprofiles" => {
                let body = json!({"name": name, "provider_name": "haproxy", "flavor_data": "{}"});
                (true, "flavorprofile", body)
            }
            "flavors" => (true, "flavor", json!({"name": name, "flavor_profile_id": id("flavorprofiles")})),
            "availabilityzoneprofiles" => {
                let body = json!({"name": name, "provider_name": "haproxy", "availability_zone_data": "{}"});
                (true, "availability_zone_profile", body)
            }
            _ => {
                let of = id("availabilityzoneprofiles");
                (true, "availability_zone", json!({"name": name, "availability_zone_profile_id": of}))
            }
        };
        (as_admin, path, json!({ member: body }))
    }

    pub fn is_made(key: &(&str, &str)) -> bool {
        MADE.contains(key)
    }

    /// The kind of this noun, when it is one that is made.
    pub fn known(&self, service: &str, noun: &str) -> Option<(&'static str, &'static str)> {
        MADE.iter().find(|(s, n)| *s == service && *n == noun).copied()
    }

    /// The kind that a POST of this path makes.
    pub fn made_at(&self, path: &str) -> Option<(&'static str, &'static str)> {
        MADE.iter().find(|(service, noun)| self.body(service, noun, "").1 == path).copied()
    }

    /// A body that makes one more of this kind.
    pub fn fresh(&mut self, service: &'static str, noun: &'static str) -> Value {
        let name = format!("{noun}-{}", self.next());
        self.body(service, noun, &name).2
    }

    /// How many things there were.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// A number that nothing was named after yet.
    pub fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn external(&self) -> &str {
        self.id("network", "external")
    }

    /// What fills `{..}` at this place of a route's path: the id of a thing of the noun before it.
    pub fn fill(&self, service: &str, noun: &str) -> Option<&str> {
        let found = match (service, noun) {
            (_, "tags" | "metadata" | "os-extra_specs") => return Some("key"),
            ("placement", "resource_classes") => return Some("VCPU"),
            ("placement", "inventories") => return Some("VCPU"),
            ("placement", "allocations") => self.ids.get(&("compute", "servers")),
            ("compute", "os-security-groups") => self.ids.get(&("network", "security-groups")),
            ("compute", "os-floating-ips") => self.ids.get(&("network", "floatingips")),
            ("compute", "os-interface") => self.ids.get(&("network", "ports")),
            ("compute", "os-networks" | "os-tenant-networks") => self.ids.get(&("network", "networks")),
            ("compute", "images") => self.ids.get(&("image", "images")),
            ("volume", "extra_specs" | "group_specs") => return Some("key"),
            ("volume", "os-quota-class-sets") => return Some("default"),
            ("volume", "extensions") => return Some("os-hosts"),
            ("volume", "os-volume-transfer") => self.ids.get(&("volume", "volume-transfers")),
            ("identity", "implies") => self.ids.get(&("identity", "roles")),
            ("network", "security_groups") => self.ids.get(&("network", "security-groups")),
            _ => self.ids.iter().find(|((s, n), _)| *s == service && *n == noun).map(|(_, id)| id),
        };
        found.map(String::as_str)
    }
}

/// Any ssh key: nobody logs in.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f owner";

/// The id in an answer to a creation, wrapped in the resource's name or not.
fn id_in(body: &Value) -> Option<String> {
    let one = |v: &Value| {
        let id = v.get("id").or_else(|| v.get("uuid")).or_else(|| v.get("name"))?;
        id.as_str().map(str::to_owned).or_else(|| id.as_i64().map(|n| n.to_string()))
    };
    // The key manager names things by their addresses.
    let referred = |v: &Value| Some(v.as_str()?.rsplit_once('/')?.1.to_owned());
    let first = body.as_object()?.iter().next();
    let reference = first.filter(|(key, _)| key.ends_with("_ref")).and_then(|(_, url)| referred(url));
    reference.or_else(|| one(body)).or_else(|| one(first?.1))
}
