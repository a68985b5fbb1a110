//! Whose id stands where in a path, and which version of the API has the path.

use testkit::Route;

use super::scene::{NOBODY, Scene};

/// The noun of the thing that a path ends with. Tags mean something else in definitions than on things.
pub fn noun(route: &Route) -> &str {
    let last = route.path.trim_end_matches("/detail").rsplit('/').find(|part| !part.starts_with('{'));
    match last.unwrap_or_default() {
        "tags" if route.path.contains("/metadefs/") => "definition_tags",
        noun => noun,
    }
}

/// Does a list of these tell whose they are? Others belong to the cloud.
pub fn is_own(service: &str, noun: &str) -> bool {
    match service {
        "identity" => matches!(noun, "credentials" | "application_credentials" | "trusts" | "limits"),
        "placement" => false,
        "volume" => matches!(
            noun,
            "volumes"
                | "snapshots"
                | "backups"
                | "attachments"
                | "volume-transfers"
                | "os-volume-transfer"
                | "groups"
                | "group_snapshots"
        ),
        "compute" => !matches!(noun, "flavors" | "os-hypervisors" | "os-services" | "os-aggregates"),
        "load-balancer" => {
            matches!(noun, "loadbalancers" | "listeners" | "pools" | "healthmonitors" | "l7policies")
        }
        _ => noun != "tags",
    }
}

/// What stands for `place`, which is `{id}` or the like, after `noun`.
pub fn fill<'a>(scene: &'a Scene, route: &Route, noun: &str, place: &str) -> &'a str {
    let found = match (route.service, noun) {
        ("identity", _) => identity(scene, route, noun, place),
        ("compute", _) => compute(scene, route, noun),
        ("image", "namespaces" | "objects" | "properties" | "resource_types") => scene.part(noun),
        ("image", "tags") if route.path.contains("/metadefs/") => scene.part("definition_tags"),
        ("image", "members") => scene.id("identity", "projects"),
        ("image", "schemas") => "image",
        ("image", "metadefs") => "namespace",
        ("image", "stores") if place == "{image}" => scene.id("image", "images"),
        ("image", "stores") => "file",
        ("volume", "capabilities" | "os-hosts") => scene.part("backend"),
        ("volume", "encryption") if place == "{key}" => "provider",
        ("network", "rule-types") => "bandwidth_limit",
        ("network", "extensions") => "quotas",
        ("network", _) if noun.ends_with("_rules") => scene.part(noun.trim_start_matches("alias_")),
        ("network", "port_forwardings" | "default-security-group-rules" | "agents") => scene.part(noun),
        ("network", "flavors") => scene.part("network_flavors"),
        ("network", "service_profiles") => scene.part(noun),
        ("network", "dhcp-networks") => scene.id("network", "networks"),
        ("network", "l3-routers") => scene.id("network", "routers"),
        ("network", "auto-allocated-topology") => &scene.fixture.owner.project_id,
        ("network", "network-ip-availabilities") => scene.id("network", "networks"),
        ("network", "address_groups") => scene.id("network", "address-groups"),
        // Not a server's: the server would lose what it runs on.
        ("placement", "allocations") => CONSUMER,
        ("placement", "resource_classes") => scene.id("placement", "resource_classes"),
        (service, noun) => scene.fixture.fill(service, noun).unwrap_or(NOBODY),
    };
    if found.is_empty() { NOBODY } else { found }
}

pub const CONSUMER: &str = "22222222-2222-2222-2222-222222222222";

fn identity<'a>(scene: &'a Scene, route: &Route, noun: &str, place: &str) -> &'a str {
    let of_user = !route.path.ends_with("/users/{user_id}") || route.method == "GET";
    // Grants and memberships: ending one ends the tokens of whom it was given to.
    let given = route.path.contains("/roles") || route.path.contains("/groups/{group_id}/users");
    match noun {
        "users" if of_user && !given => scene.owner(),
        "projects" if route.path == "/identity/v3/projects/{project_id}" && route.method == "GET" => {
            &scene.fixture.owner.project_id
        }
        "projects" if route.path.contains("/tags") => &scene.fixture.owner.project_id,
        "roles" if route.path.contains("/trusts/") => scene.part("member"),
        "roles" if given && !route.path.starts_with("/identity/v3/roles") => scene.part("reader"),
        "implies" => scene.part("reader"),
        "config" if place == "{option}" => "driver",
        "config" => "identity",
        "OS-EC2" | "consumers" | "endpoint_groups" | "registered_limits" | "limits" | "access_rules" => {
            scene.part(noun)
        }
        _ => scene.fixture.fill("identity", noun).unwrap_or(NOBODY),
    }
}

fn compute<'a>(scene: &'a Scene, route: &Route, noun: &str) -> &'a str {
    match noun {
        "os-interface" | "os-instance-actions" | "ips" => scene.part(noun),
        "os-hosts" => scene.host(),
        "os-hypervisors" if route.path.ends_with("/search") || route.path.ends_with("/servers") => {
            scene.host()
        }
        "os-quota-class-sets" => "default",
        "extensions" => "os-keypairs",
        "os-instance_usage_audit_log" => "2026-01-01%2000:00:00",
        _ => scene.fixture.fill("compute", noun).unwrap_or(NOBODY),
    }
}

/// What a call without a query would be refused for.
pub fn query(scene: &Scene, route: &Route) -> String {
    match route.path.as_str() {
        "/placement/usages" => format!("?project_id={}", scene.fixture.owner.project_id),
        "/placement/allocation_candidates" => "?resources=VCPU:1".into(),
        _ => String::new(),
    }
}

/// A version that still has the path.
pub fn version(route: &Route) -> &'static str {
    let is = |parts: &[&str]| parts.iter().any(|part| route.path.contains(part));
    match route.service {
        "compute" if is(&["/shares"]) => "2.97",
        "compute" if is(&["os-hypervisors/{id}/search", "os-hypervisors/{id}/servers"]) => "2.50",
        "compute" if is(&["os-hypervisors/statistics", "os-hypervisors/{id}/uptime"]) => "2.80",
        "compute"
            if is(&[
                "v2.1/os-networks",
                "os-tenant-networks",
                "os-baremetal-nodes",
                "os-floating-ip",
                "v2.1/os-security-group",
                "v2.1/os-volumes",
                "v2.1/os-snapshots",
            ]) || is(&["v2.1/images", "os-hosts", "v2.1/extensions"]) =>
        {
            "2.1"
        }
        "compute" => "2.96",
        "volume" => "3.70",
        "key-manager" => "1.2",
        _ => "1.39",
    }
}
