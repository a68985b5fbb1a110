//! RBAC policies, address scopes and groups, subnet pools.

use serde_json::{Value, json};

use crate::cloud::{Cloud, id, ids};

/// A project that nobody is in.
const OTHER: &str = "0123456789abcdef0123456789abcdef";

/// Projects are named like their tokens; policies want ids, so these tests share with everybody or by hand.
async fn share(cloud: &Cloud, kind: &str, object: &str) -> Value {
    let policy =
        json!({"object_type": kind, "object_id": object, "action": "access_as_shared", "target_tenant": "*"});
    cloud.make_as("admin", "rbac-policies", "rbac_policy", policy).await
}

#[tokio::test]
async fn a_network_is_shared_by_a_policy_and_only_while_nobody_needs_it() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    cloud.subnet(&network, "10.0.0.0/24").await;
    let path = format!("/v2.0/networks/{network}");
    assert_eq!(cloud.get("bob", &path).await.status, 404);
    let policy = share(&cloud, "network", &network).await;
    assert_eq!(policy["target_tenant"], "*");
    let seen = cloud.get("bob", &path).await.ok(200);
    assert_eq!(seen["network"]["shared"], true);
    assert_eq!(
        cloud.get("bob", &format!("/v2.0/subnets?network_id={network}")).await.ok(200)["subnets"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let port = id(&cloud.make_as("bob", "ports", "port", json!({"network_id": network})).await);
    let policy_path = format!("/v2.0/rbac-policies/{}", id(&policy));
    cloud.delete("admin", &policy_path).await.refused(409, "RbacPolicyInUse");
    let close = json!({"network": {"shared": false}});
    cloud.put("admin", &path, close.clone()).await.refused(409, "InvalidSharedSetting");
    cloud.delete("bob", &format!("/v2.0/ports/{port}")).await.ok(204);
    cloud.put("admin", &path, close).await.ok(200);
    assert_eq!(cloud.get("bob", &path).await.status, 404);
    assert_eq!(cloud.get("admin", &policy_path).await.status, 404);
}

#[tokio::test]
async fn policies_are_their_owners_and_everybody_is_the_operators() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let policy = |target: Value| {
        json!({"rbac_policy": {
            "object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": target,
        }})
    };
    let everybody = cloud.post("alice", "/v2.0/rbac-policies", policy(json!("*"))).await;
    everybody.refused(403, "PolicyNotAuthorized");
    for wrong in [json!(null), json!("1234".repeat(100)), json!(7)] {
        cloud.post("alice", "/v2.0/rbac-policies", policy(wrong)).await.refused(400, "InvalidInput");
    }
    let other = base::id::hex();
    let made = cloud.post("alice", "/v2.0/rbac-policies", policy(json!(other))).await.ok(201);
    let again = cloud.post("alice", "/v2.0/rbac-policies", policy(json!(other))).await;
    again.refused(409, "DuplicateRbacPolicy");
    let foreign = cloud.post("bob", "/v2.0/rbac-policies", policy(json!(other))).await;
    assert_eq!(foreign.status, 404);
    assert_eq!(cloud.get("bob", "/v2.0/rbac-policies").await.ok(200)["rbac_policies"], json!([]));
    let path = format!("/v2.0/rbac-policies/{}", id(&made["rbac_policy"]));
    let moved = json!({"rbac_policy": {"target_tenant": base::id::hex()}});
    cloud.put("alice", &path, moved).await.ok(200);
    cloud.delete("alice", &path).await.ok(204);
}

#[tokio::test]
async fn subnets_come_from_a_pool() {
    let cloud = Cloud::start().await;
    let pool =
        json!({"name": "p", "prefixes": ["10.0.0.0/16"], "default_prefixlen": 24, "default_quota": 512});
    let pool = cloud.make("subnetpools", "subnetpool", pool).await;
    assert_eq!(
        (&pool["ip_version"], &pool["min_prefixlen"], &pool["max_prefixlen"]),
        (&json!(4), &json!("8"), &json!("32"))
    );
    let network = cloud.network("n").await;
    let subnet = |extra: Value| {
        let mut subnet = json!({"network_id": network, "ip_version": 4, "subnetpool_id": pool["id"]});
        subnet.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "subnet": subnet })
    };
    let first = cloud.post("alice", "/v2.0/subnets", subnet(json!({}))).await.ok(201);
    assert_eq!(first["subnet"]["cidr"], "10.0.0.0/24");
    assert_eq!(first["subnet"]["subnetpool_id"], pool["id"]);
    let taken = cloud.post("alice", "/v2.0/subnets", subnet(json!({"cidr": "10.0.0.0/25"}))).await;
    taken.refused(409, "SubnetAllocationError");
    let second = cloud.post("alice", "/v2.0/subnets", subnet(json!({"prefixlen": 24}))).await.ok(201);
    assert_eq!(second["subnet"]["cidr"], "10.0.1.0/24");
    cloud.post("alice", "/v2.0/subnets", subnet(json!({}))).await.refused(409, "SubnetPoolQuotaExceeded");
    let both = subnet(json!({"cidr": "10.0.9.0/24", "prefixlen": 24}));
    cloud.post("alice", "/v2.0/subnets", both).await.refused(400, "BadRequest");
    let path = format!("/v2.0/subnetpools/{}", id(&pool));
    cloud.delete("alice", &path).await.refused(400, "SubnetPoolDeleteError");
    let fewer = json!({"subnetpool": {"prefixes": ["10.0.0.0/17"]}});
    cloud.put("alice", &path, fewer).await.refused(400, "IllegalSubnetPoolPrefixUpdate");
    let more = cloud
        .put("alice", &format!("{path}/add_prefixes"), json!({"prefixes": ["10.1.0.0/16"]}))
        .await
        .ok(200);
    assert_eq!(more, json!({"prefixes": ["10.0.0.0/15"]}));
    let less = json!({"prefixes": ["10.0.0.0/24"]});
    let in_use = cloud.put("alice", &format!("{path}/remove_prefixes"), less).await;
    in_use.refused(400, "IllegalSubnetPoolPrefixUpdate");
    let less = json!({"prefixes": ["10.1.0.0/16"]});
    let left = cloud.put("alice", &format!("{path}/remove_prefixes"), less).await.ok(200);
    assert_eq!(left, json!({"prefixes": ["10.0.0.0/16"]}));
    // A subnet beside those of the pool would be reachable by other rules.
    let stranger = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "192.168.0.0/24"}});
    cloud.post("alice", "/v2.0/subnets", stranger).await.refused(400, "NetworkSubnetPoolAffinityError");
    assert_eq!(cloud.get("bob", &path).await.status, 404);
}

#[tokio::test]
async fn the_default_pool_is_used_when_asked_for() {
    let cloud = Cloud::start().await;
    let pool = json!({"name": "d", "prefixes": ["10.8.0.0/16"], "is_default": true, "shared": true, "default_prefixlen": 26});
    let pool = cloud.make_as("admin", "subnetpools", "subnetpool", pool.clone()).await;
    let again = json!({"subnetpool": {"name": "e", "prefixes": ["10.9.0.0/16"], "is_default": true}});
    cloud.post("admin", "/v2.0/subnetpools", again).await.refused(400, "InvalidInput");
    let network = cloud.network("n").await;
    let by_default = json!({"network_id": network, "ip_version": 4, "use_default_subnetpool": true});
    let subnet = cloud.make("subnets", "subnet", by_default).await;
    assert_eq!((&subnet["cidr"], &subnet["subnetpool_id"]), (&json!("10.8.0.0/26"), &pool["id"]));
    let six = json!({"subnet": {"network_id": network, "ip_version": 6, "use_default_subnetpool": true}});
    cloud.post("alice", "/v2.0/subnets", six).await.refused(400, "BadRequest");
}

#[tokio::test]
async fn a_network_shows_the_scope_of_its_pools() {
    let cloud = Cloud::start().await;
    let scope = cloud.make("address-scopes", "address_scope", json!({"name": "s", "ip_version": 4})).await;
    let pool = |prefix: &str| json!({"name": "p", "prefixes": [prefix], "address_scope_id": scope["id"]});
    let first = cloud.make("subnetpools", "subnetpool", pool("10.0.0.0/16")).await;
    let overlap = json!({ "subnetpool": pool("10.0.0.0/20") });
    cloud.post("alice", "/v2.0/subnetpools", overlap).await.refused(409, "AddressScopePrefixConflict");
    let six = json!({ "subnetpool": pool("fd00::/48") });
    let refused = cloud.post("alice", "/v2.0/subnetpools", six).await;
    refused.refused(400, "IllegalSubnetPoolIpVersionAssociationToAddressScope");
    let network = cloud.network("n").await;
    let subnet =
        json!({"network_id": network, "ip_version": 4, "subnetpool_id": first["id"], "prefixlen": 24});
    cloud.make("subnets", "subnet", subnet).await;
    let shown = cloud.get("alice", &format!("/v2.0/networks/{network}")).await.ok(200);
    assert_eq!(shown["network"]["ipv4_address_scope"], scope["id"]);
    assert_eq!(shown["network"]["ipv6_address_scope"], Value::Null);
    let path = format!("/v2.0/address-scopes/{}", id(&scope));
    cloud.delete("alice", &path).await.refused(409, "AddressScopeInUse");
    assert_eq!(cloud.get("bob", &path).await.status, 404);
}

#[tokio::test]
async fn rules_refer_to_address_groups() {
    let cloud = Cloud::start().await;
    let group = json!({"name": "a", "addresses": ["10.1.0.0/16", "10.2.0.7/32"]});
    let group = cloud.make("address-groups", "address_group", group).await;
    assert_eq!(group["addresses"], json!(["10.1.0.0/16", "10.2.0.7/32"]));
    let path = format!("/v2.0/address-groups/{}", id(&group));
    let security = id(&cloud.make("security-groups", "security_group", json!({"name": "g"})).await);
    let rule = json!({
        "security_group_id": security, "direction": "ingress", "remote_address_group_id": group["id"],
    });
    let rule = cloud.make("security-group-rules", "security_group_rule", rule).await;
    assert_eq!(rule["remote_address_group_id"], group["id"]);
    cloud.delete("alice", &path).await.refused(409, "AddressGroupInUse");
    let add = |what: &str| json!({"addresses": [what]});
    let more = cloud.put("alice", &format!("{path}/add_addresses"), add("10.3.0.0/24")).await.ok(200);
    assert_eq!(more["address_group"]["addresses"].as_array().unwrap().len(), 3);
    let again = cloud.put("alice", &format!("{path}/add_addresses"), add("10.3.0.0/24")).await;
    again.refused(400, "AddressesAlreadyExist");
    let less = cloud.put("alice", &format!("{path}/remove_addresses"), add("10.9.0.0/24")).await;
    less.refused(404, "AddressesNotFound");
    let less = cloud.put("alice", &format!("{path}/remove_addresses"), add("10.9.0.1")).await;
    less.refused(404, "AddressesNotFound");
    let less = cloud.put("alice", &format!("{path}/remove_addresses"), add("nowhere")).await;
    less.refused(400, "HTTPBadRequest");
    assert_eq!(cloud.get("bob", &path).await.status, 404);
    share(&cloud, "address_group", &id(&group)).await;
    assert_eq!(cloud.get("bob", &path).await.ok(200)["address_group"]["shared"], true);
    cloud
        .put("bob", &path, json!({"address_group": {"name": "x"}}))
        .await
        .refused(404, "AddressGroupNotFound");
}

#[tokio::test]
async fn new_groups_begin_with_the_default_rules() {
    let cloud = Cloud::start().await;
    let rule = json!({
        "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
    });
    let body = json!({ "default_security_group_rule": rule });
    assert_eq!(cloud.post("alice", "/v2.0/default-security-group-rules", body.clone()).await.status, 403);
    let made = cloud.post("admin", "/v2.0/default-security-group-rules", body.clone()).await.ok(201);
    let again = cloud.post("admin", "/v2.0/default-security-group-rules", body).await;
    again.refused(409, "DefaultSecurityGroupRuleExists");
    let group = cloud.make("security-groups", "security_group", json!({"name": "g"})).await;
    let rules = group["security_group_rules"].as_array().unwrap();
    assert_eq!(rules.len(), 3);
    assert!(rules.iter().any(|r| r["port_range_min"] == 22 && r["direction"] == "ingress"));
    let path = format!("/v2.0/default-security-group-rules/{}", id(&made["default_security_group_rule"]));
    cloud.delete("admin", &path).await.ok(204);
    let group = cloud.make("security-groups", "security_group", json!({"name": "h"})).await;
    assert_eq!(group["security_group_rules"].as_array().unwrap().len(), 2);
    let all = cloud.get("alice", "/v2.0/default-security-group-rules").await.ok(200);
    assert_eq!(ids(&all["default_security_group_rules"]).len(), 4);
}

#[tokio::test]
async fn a_server_may_attach_to_what_is_shared_with_its_project_alone() {
    let cloud = Cloud::start().await;
    let network = cloud.network("n").await;
    let bob = crate::cloud::ctx("bob");
    let names = async || {
        let networks = cloud.app.default_networks(&bob).await.unwrap();
        networks.into_iter().map(|n| n.name).collect::<Vec<_>>()
    };
    assert!(names().await.is_empty());
    let policy = share(&cloud, "network", &network).await;
    assert_eq!(names().await, ["n"]);
    cloud.delete("admin", &format!("/v2.0/rbac-policies/{}", id(&policy))).await.ok(204);
    assert!(names().await.is_empty());
}

#[tokio::test]
async fn a_project_opens_its_network_to_anothers_routers_and_the_machine_stays_out_of_it() {
    let cloud = Cloud::start().await;
    let network = cloud.network("mine").await;
    cloud.subnet(&network, "198.18.0.0/24").await;
    let policy = |network: &str, target: &str| {
        json!({"rbac_policy": {
            "object_type": "network", "object_id": network, "action": "access_as_external", "target_tenant": target,
        }})
    };
    let path = "/v2.0/rbac-policies";
    cloud.post("alice", path, policy(&network, "*")).await.refused(403, "PolicyNotAuthorized");
    cloud.post("bob", path, policy(&network, OTHER)).await.refused(404, "ObjectNotFound");
    let made = cloud.post("alice", path, policy(&network, OTHER)).await.ok(201)["rbac_policy"].clone();
    let shown = cloud.get("alice", &format!("/v2.0/networks/{network}")).await.ok(200);
    assert_eq!(shown["network"]["router:external"], true);
    // It would be a way to lead this machine's own traffic astray.
    let link = async || {
        cloud.app.ensure_plugged(std::slice::from_ref(&network)).await.unwrap();
        cloud.host.network(&network).unwrap().host_link
    };
    assert_eq!(link().await, None);
    cloud.delete("alice", &format!("{path}/{}", id(&made))).await.ok(204);
    let everybodys = cloud.post("admin", path, policy(&network, "*")).await.ok(201)["rbac_policy"].clone();
    assert!(link().await.is_some());
    cloud.delete("admin", &format!("{path}/{}", id(&everybodys))).await.ok(204);
    assert_eq!(link().await, None);
}

#[tokio::test]
async fn a_network_is_external_while_a_policy_says_so() {
    let cloud = Cloud::start().await;
    let network = id(&cloud.make_as("admin", "networks", "network", json!({"name": "e"})).await);
    let policy = json!({
        "object_type": "network", "object_id": network, "action": "access_as_external", "target_tenant": "*",
    });
    let policy = id(&cloud.make_as("admin", "rbac-policies", "rbac_policy", policy).await);
    let path = format!("/v2.0/networks/{network}");
    assert_eq!(cloud.get("bob", &path).await.ok(200)["network"]["router:external"], true);
    cloud.delete("admin", &format!("/v2.0/rbac-policies/{policy}")).await.ok(204);
    assert_eq!(cloud.get("bob", &path).await.status, 404);
    assert_eq!(cloud.get("admin", &path).await.ok(200)["network"]["router:external"], false);
    // That of the default external network stays.
    let listed = cloud.get("admin", &format!("/v2.0/rbac-policies?object_id={}", cloud.public)).await.ok(200);
    let policy = ids(&listed["rbac_policies"]).remove(0);
    cloud.delete("admin", &format!("/v2.0/rbac-policies/{policy}")).await.refused(409, "RbacPolicyInUse");
    let shared = cloud.get("bob", "/v2.0/subnets?shared=true").await.ok(200);
    assert_eq!(shared["subnets"], json!([]));
}
