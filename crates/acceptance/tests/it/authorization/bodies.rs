//! What is sent: the least that the service takes, so that what is left to refuse is who asks.

use serde_json::{Value, json};
use testkit::{Route, text};

use super::paths::{CONSUMER, noun};
use super::scene::{NOBODY, Scene};

/// What hangs on the fixture's things and is made by a POST, wholes before parts.
pub const PARTS: [&str; 18] = [
    "consumers",
    "endpoint_groups",
    "registered_limits",
    "limits",
    "OS-EC2",
    "port_forwardings",
    "bandwidth_limit_rules",
    "dscp_marking_rules",
    "minimum_bandwidth_rules",
    "packet_rate_limit_rules",
    "minimum_packet_rate_rules",
    "network_flavors",
    "service_profiles",
    "default-security-group-rules",
    "namespaces",
    "objects",
    "properties",
    "definition_tags",
];

/// (by an admin, the path that it is made at, the body)
pub fn part(scene: &Scene, noun: &str, number: u32) -> (bool, String, Value) {
    let project = &scene.fixture.owner.project_id;
    let name = format!("{noun}-{number}");
    let identity = |path: &str| format!("/identity/v3/{path}");
    let rules = |kind: &str| format!("/network/v2.0/qos/policies/{}/{kind}", scene.id("network", "policies"));
    let definitions = |of: &str| format!("/image/v2/metadefs/namespaces/{}/{of}", scene.part("namespaces"));
    let service = scene.id("identity", "services");
    match noun {
        "consumers" => (true, identity("OS-OAUTH1/consumers"), json!({"consumer": {"description": name}})),
        "endpoint_groups" => {
            let body = json!({"name": name, "filters": {"interface": "public"}});
            (true, identity("OS-EP-FILTER/endpoint_groups"), json!({ "endpoint_group": body }))
        }
        "registered_limits" => {
            let body = json!({"service_id": service, "resource_name": name, "default_limit": 5});
            (true, identity("registered_limits"), json!({"registered_limits": [body]}))
        }
        "limits" => {
            let body = json!({
                "service_id": service, "project_id": project,
                "resource_name": scene.part("registered_limits.name"), "resource_limit": 3,
            });
            (true, identity("limits"), json!({"limits": [body]}))
        }
        "OS-EC2" => (
            false,
            identity(&format!("users/{}/credentials/OS-EC2", scene.owner())),
            json!({"tenant_id": project}),
        ),
        "port_forwardings" => {
            let path =
                format!("/network/v2.0/floatingips/{}/port_forwardings", scene.id("network", "floatingips"));
            let body = json!({
                "protocol": "tcp", "internal_port_id": scene.id("network", "ports"), "internal_port": number,
                "internal_ip_address": scene.part("address"), "external_port": 1000 + number,
            });
            (false, path, json!({ "port_forwarding": body }))
        }
        "bandwidth_limit_rules" => {
            let body = json!({"max_kbps": 1000});
            (true, rules(noun), json!({ "bandwidth_limit_rule": body }))
        }
        "dscp_marking_rules" => (true, rules(noun), json!({"dscp_marking_rule": {"dscp_mark": 10}})),
        "minimum_bandwidth_rules" => (true, rules(noun), json!({"minimum_bandwidth_rule": {"min_kbps": 10}})),
        "packet_rate_limit_rules" => (true, rules(noun), json!({"packet_rate_limit_rule": {"max_kpps": 10}})),
        "minimum_packet_rate_rules" => {
            (true, rules(noun), json!({"minimum_packet_rate_rule": {"min_kpps": 10}}))
        }
        "network_flavors" => {
            let body = json!({"name": name, "service_type": "L3_ROUTER_NAT"});
            (true, "/network/v2.0/flavors".into(), json!({ "flavor": body }))
        }
        "service_profiles" => {
            (true, format!("/network/v2.0/{noun}"), json!({"service_profile": {"metainfo": name}}))
        }
        "default-security-group-rules" => {
            let body = json!({"direction": "ingress", "protocol": "tcp", "port_range_min": number, "port_range_max": number});
            (true, format!("/network/v2.0/{noun}"), json!({ "default_security_group_rule": body }))
        }
        // Private to the owner's project.
        "namespaces" => {
            let body = json!({"namespace": name, "visibility": "private", "owner": project});
            (true, "/image/v2/metadefs/namespaces".into(), body)
        }
        "objects" => (true, definitions(noun), json!({ "name": name })),
        "properties" => (true, definitions(noun), json!({"name": name, "title": "x", "type": "string"})),
        "definition_tags" => (true, format!("{}/{name}", definitions("tags")), json!({})),
        other => panic!("nothing is known of {other}"),
    }
}

/// What a path names it by.
pub fn id_of_part(noun: &str, answer: &Value) -> String {
    let one = match noun {
        "registered_limits" | "limits" => &answer[noun][0],
        "OS-EC2" => return text(&answer["credential"]["access"]).into(),
        "namespaces" => return text(&answer["namespace"]).into(),
        "objects" | "properties" | "definition_tags" => return text(&answer["name"]).into(),
        _ => answer.as_object().and_then(|map| map.values().next()).unwrap_or(answer),
    };
    text(&one["id"]).into()
}

/// The body of a PUT, a PATCH or a POST that makes nothing the fixture knows. None: the call has none.
pub fn of(scene: &Scene, route: &Route) -> Option<Value> {
    match route.service {
        "identity" => identity(route),
        "network" => Some(network(scene, route)),
        "compute" => compute(scene, route),
        "image" => image(scene, route),
        "volume" => Some(volume(scene, route)),
        "load-balancer" => Some(balancer(route)),
        _ => placement(scene, route),
    }
}

/// `networks` is many of `network`.
fn single(noun: &str) -> String {
    let noun = noun.trim_start_matches("os-").replace('-', "_");
    noun.strip_suffix("ies").map_or_else(|| noun.trim_end_matches('s').to_owned(), |stem| format!("{stem}y"))
}

fn identity(route: &Route) -> Option<Value> {
    let noun = noun(route);
    let is_one = route.path.ends_with('}');
    Some(match (route.method, noun) {
        ("PUT", "tags") => json!({"tags": ["key"]}),
        ("PUT" | "PATCH", "config") => match route.path.matches('{').count() {
            3 => json!({"config": {"driver": "sql"}}),
            2 => json!({"config": {"identity": {"driver": "sql"}}}),
            _ => CONFIG.clone(),
        },
        ("PUT", "regions") => json!({"region": {"description": "x"}}),
        ("PUT", "authorize") => json!({"roles": []}),
        ("PUT", _) => return None,
        ("PATCH", "endpoints") => json!({"endpoint": {"interface": "public"}}),
        ("PATCH", "credentials") => json!({"credential": {"type": "cert"}}),
        ("PATCH", "policies") => json!({"policy": {"type": "application/json"}}),
        ("PATCH", _) if is_one => json!({ single(noun): {"description": "x"} }),
        _ => json!({}),
    })
}

pub static CONFIG: std::sync::LazyLock<Value> =
    std::sync::LazyLock::new(|| json!({"config": {"identity": {"driver": "sql"}}}));

fn network(scene: &Scene, route: &Route) -> Value {
    let noun = noun(route);
    match noun {
        "tags" => json!({"tags": ["key"]}),
        "quotas" => json!({"quota": {"network": 100}}),
        "rbac-policies" => json!({"rbac_policy": {"target_tenant": scene.id("identity", "projects")}}),
        "add_router_interface" | "remove_router_interface" => {
            json!({"subnet_id": scene.id("network", "subnets")})
        }
        "add_extraroutes" | "remove_extraroutes" => json!({"router": {"routes": []}}),
        "add_addresses" | "remove_addresses" => json!({"addresses": ["10.9.0.0/24"]}),
        "add_prefixes" | "remove_prefixes" => json!({"prefixes": ["10.99.0.0/16"]}),
        "onboard_network_subnets" => json!({"network_id": scene.id("network", "networks")}),
        "add_subports" | "remove_subports" => json!({"sub_ports": []}),
        "address-scopes" => json!({"address_scope": {"name": "renamed"}}),
        _ if noun.ends_with("bandwidth_limit_rules") => json!({ single(noun): {"max_kbps": 2000} }),
        _ if noun.ends_with("dscp_marking_rules") => json!({ single(noun): {"dscp_mark": 12} }),
        _ if noun.ends_with("minimum_bandwidth_rules") => json!({ single(noun): {"min_kbps": 20} }),
        _ if noun.ends_with("packet_rate_limit_rules") => json!({ single(noun): {"max_kpps": 20} }),
        _ if noun.ends_with("minimum_packet_rate_rules") => json!({ single(noun): {"min_kpps": 20} }),
        "service_profiles" if route.path.contains("/flavors/") => {
            json!({"service_profile": {"id": scene.part(noun)}})
        }
        "service_profiles" => json!({"service_profile": {"metainfo": "x"}}),
        "flavors" if route.method == "POST" => json!({"flavor": {"service_type": "QOS"}}),
        "dhcp-networks" => json!({"network_id": scene.id("network", "networks")}),
        "l3-routers" => json!({"router_id": scene.id("network", "routers")}),
        _ => json!({ single(noun): {"description": "x"} }),
    }
}

fn compute(scene: &Scene, route: &Route) -> Option<Value> {
    let noun = noun(route);
    let is_one = route.path.ends_with('}');
    let network = scene.id("network", "networks");
    let server = scene.id("compute", "servers");
    Some(match (route.method, noun) {
        ("PUT", "tags") if is_one => return None,
        ("PUT", "tags") => json!({"tags": ["key"]}),
        ("PUT", "metadata") if is_one => json!({"meta": {"key": format!("value-{}", scene.number())}}),
        (_, "metadata") => json!({"metadata": {"key": format!("value-{}", scene.number())}}),
        ("PUT", "servers") => json!({"server": {"name": "renamed"}}),
        ("PUT", "os-extra_specs") => json!({"key": "value"}),
        ("POST", "os-extra_specs") => json!({"extra_specs": {"key": "value"}}),
        ("PUT", "os-quota-sets") => json!({"quota_set": {"instances": 50}}),
        ("PUT", "os-quota-class-sets") => json!({"quota_class_set": {"instances": 50}}),
        ("PUT", "os-services") => json!({"status": "enabled"}),
        ("PUT", "os-aggregates") => json!({"aggregate": {"name": "renamed"}}),
        ("PUT", "os-hosts") => json!({"status": "enable"}),
        (_, "os-security-groups") => {
            json!({"security_group": {"name": format!("proxied-{}", route.method), "description": "x"}})
        }
        (_, "os-security-group-rules") => json!({"security_group_rule": {
            "parent_group_id": scene.id("network", "security-groups"), "ip_protocol": "tcp", "from_port": 1, "to_port": 2,
        }}),
        (_, "os-floating-ips") => json!({"pool": "public"}),
        (_, "remote-consoles") => json!({"remote_console": {"protocol": "vnc", "type": "novnc"}}),
        (_, "shares") => json!({"share": {"share_id": NOBODY}}),
        (_, "os-interface") => json!({"interfaceAttachment": {"net_id": network}}),
        // Nobody's: the fixture's own must stay what others find.
        (_, "os-volume_attachments") => json!({"volumeAttachment": {"volumeId": NOBODY}}),
        (_, "os-volumes") => json!({"volume": {"size": 1}}),
        (_, "os-snapshots") => json!({"snapshot": {"volume_id": NOBODY}}),
        (_, "os-server-external-events") => {
            json!({"events": [{"name": "network-changed", "server_uuid": server, "tag": NOBODY}]})
        }
        (_, "os-assisted-volume-snapshots") => json!({"snapshot": {
            "volume_id": NOBODY, "create_info": {"snapshot_id": NOBODY, "type": "qcow2", "new_file": "x"},
        }}),
        (_, "action") if route.path.contains("/flavors/") => {
            json!({"addTenantAccess": {"tenant": scene.fixture.owner.project_id}})
        }
        (_, "action") if route.path.contains("/migrations/") => json!({"force_complete": null}),
        (_, "images") => json!({"cache": [{"id": NOBODY}]}),
        (_, "action") => json!({"set_metadata": {"metadata": {"key": "value"}}}),
        _ => json!({ single(noun): {"description": "x"} }),
    })
}

fn balancer(route: &Route) -> Value {
    let member = match noun(route) {
        "quotas" => return json!({"quota": {"pool": 100}}),
        "failover" => return json!({}),
        "members" if route.method == "PUT" && !route.path.ends_with('}') => return json!({"members": []}),
        "l7policies" => "l7policy",
        "availabilityzones" => "availability_zone",
        "availabilityzoneprofiles" => "availability_zone_profile",
        noun => noun.trim_end_matches('s'),
    };
    match member {
        "member" if route.method == "POST" => {
            json!({"member": {"address": "10.3.0.9", "protocol_port": 80}})
        }
        "rule" if route.method == "POST" => {
            json!({"rule": {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}})
        }
        "availability_zone" => json!({ member: {"description": "x"} }),
        "rule" => json!({ member: {"invert": true} }),
        _ => json!({ member: {"name": "renamed"} }),
    }
}

fn image(scene: &Scene, route: &Route) -> Option<Value> {
    Some(match (route.method, noun(route)) {
        ("PATCH", _) => json!([{"op": "replace", "path": "/name", "value": "renamed"}]),
        (_, "members") if route.method == "PUT" => json!({"status": "accepted"}),
        (_, "members") => json!({"member": scene.id("identity", "projects")}),
        (_, "import") => json!({"method": {"name": "glance-direct"}}),
        (_, "namespaces") => {
            let owner = &scene.fixture.owner.project_id;
            json!({"namespace": scene.part("namespaces"), "visibility": "private", "owner": owner})
        }
        (_, "objects") => json!({"name": scene.part("objects")}),
        (_, "properties") => json!({"name": scene.part("properties"), "title": "x", "type": "string"}),
        (_, "definition_tags") if route.path.ends_with("/tags") => json!({"tags": [{"name": "one"}]}),
        (_, "definition_tags") => json!({"name": scene.part("definition_tags")}),
        (_, "resource_types") => json!({"name": "OS::Nova::Server"}),
        (_, "locations") => json!({"url": "http://127.0.0.1:9/image"}),
        (_, "tags" | "deactivate" | "reactivate") => return None,
        _ => json!({}),
    })
}

fn placement(scene: &Scene, route: &Route) -> Option<Value> {
    let provider = scene.id("placement", "resource_providers");
    let generation = 0;
    Some(match noun(route) {
        "traits" if route.path.contains("/resource_providers/") => {
            json!({"resource_provider_generation": generation, "traits": []})
        }
        "traits" | "resource_classes" => return None,
        "aggregates" => json!({"resource_provider_generation": generation, "aggregates": []}),
        "inventories" if route.path.ends_with('}') => {
            json!({"resource_provider_generation": generation, "total": 4})
        }
        "inventories" if route.method == "POST" => {
            json!({"resource_provider_generation": generation, "resource_class": "MEMORY_MB", "total": 4})
        }
        "inventories" => {
            json!({"resource_provider_generation": generation, "inventories": {"VCPU": {"total": 4}}})
        }
        "allocations" => {
            let mut one = json!({
                "allocations": {provider: {"resources": {"VCPU": 1}}}, "consumer_generation": null,
                "consumer_type": "INSTANCE", "project_id": NOBODY, "user_id": NOBODY,
            });
            match route.method {
                "POST" => json!({ CONSUMER: one.take() }),
                _ => one,
            }
        }
        "reshaper" => json!({"inventories": {}, "allocations": {}}),
        _ => json!({"name": "renamed"}),
    })
}

fn volume(scene: &Scene, route: &Route) -> Value {
    let noun = noun(route);
    let is_one = route.path.ends_with('}');
    // Not the one that makes volumes: others are made later.
    let host = scene.part("backend").split('@').next();
    let service = json!({"binary": "cinder-backup", "host": host});
    match (route.method, noun) {
        ("PUT", "metadata") if is_one => json!({"meta": {"key": format!("value-{}", scene.number())}}),
        (_, "metadata") => json!({"metadata": {"key": format!("value-{}", scene.number())}}),
        ("PUT", "types") => json!({"volume_type": {"description": "x"}}),
        ("PUT", "group_types") => json!({"group_type": {"description": "x"}}),
        ("PUT", "group_specs") => json!({"key": "value"}),
        ("POST", "group_specs") => json!({"group_specs": {"key": "value"}}),
        ("PUT", "groups") => json!({"group": {"name": format!("renamed-{}", scene.number())}}),
        ("POST", "action") if route.path.ends_with("/groups/action") => {
            json!({"create-from-src": {"source_group_id": scene.id("volume", "groups")}})
        }
        ("POST", "action") if route.path.contains("/group") => {
            json!({"reset_status": {"status": "available"}})
        }
        // Elsewhere: this one would keep still.
        ("PUT", "freeze" | "thaw" | "failover" | "failover_host") => json!({"host": "elsewhere"}),
        ("POST", "import_record") => {
            json!({"backup-record": {"backup_service": "cinder.backup.drivers", "backup_url": "e30="}})
        }
        ("PUT", "qos-specs") => json!({"qos_specs": {"key": "value"}}),
        ("PUT", "delete_keys") => json!({"keys": []}),
        ("PUT", "extra_specs") => json!({"key": "value"}),
        ("POST", "extra_specs") => json!({"extra_specs": {"key": "value"}}),
        ("PUT", "attachments") => json!({"attachment": {"connector": {"host": "h"}}}),
        ("PUT", "os-quota-sets") => json!({"quota_set": {"volumes": -1}}),
        ("PUT", "os-quota-class-sets") => json!({"quota_class_set": {"volumes": -1}}),
        ("PUT", "default-types") => json!({"default_type": {"volume_type": "__DEFAULT__"}}),
        ("PUT", "enable" | "disable" | "disable-log-reason") => service,
        (_, "encryption") => json!({"encryption": {"provider": "luks", "control_location": "front-end"}}),
        ("POST", "restore") => json!({"restore": {}}),
        (_, "accept") => json!({"accept": {"auth_key": "wrong"}}),
        ("POST", "action") if route.path.contains("/types/") => {
            json!({"addProjectAccess": {"project": NOBODY}})
        }
        ("POST", "action") if route.path.contains("/attachments/") => json!({"os-complete": null}),
        ("POST", "action") => json!({"os-reset_status": {"status": "available"}}),
        ("POST", "os-volume-transfer") => {
            json!({"transfer": {"volume_id": scene.id("volume of", "volume-transfers")}})
        }
        _ => json!({ single(noun): {"name": "renamed"} }),
    }
}
