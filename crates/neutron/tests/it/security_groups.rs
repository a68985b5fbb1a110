use host::plan::{Direction, Remote};
use serde_json::{Value, json};

use crate::cloud::{Cloud, addresses, id};

#[tokio::test]
async fn the_default_group_is_there_when_one_looks() {
    let cloud = Cloud::start().await;
    let groups = cloud.get("alice", "/v2.0/security-groups").await.ok(200)["security_groups"].clone();
    assert_eq!(groups.as_array().unwrap().len(), 1);
    let group = &groups[0];
    assert_eq!((&group["name"], &group["project_id"]), (&json!("default"), &json!("alice")));
    let rules = group["security_group_rules"].as_array().unwrap();
    assert_eq!(rules.len(), 4);
    let ingress: Vec<_> = rules.iter().filter(|r| r["direction"] == "ingress").collect();
    assert!(ingress.iter().all(|r| r["remote_group_id"] == group["id"]) && ingress.len() == 2);
    let path = format!("/v2.0/security-groups/{}", id(group));
    cloud.delete("alice", &path).await.refused(409, "SecurityGroupCannotRemoveDefault");
    let rename = json!({"security_group": {"name": "x"}});
    cloud.put("alice", &path, rename).await.refused(409, "SecurityGroupCannotUpdateDefault");
    cloud.put("alice", &path, json!({"security_group": {"description": "x"}})).await.ok(200);
    let another = json!({"security_group": {"name": "Default"}});
    cloud
        .post("alice", "/v2.0/security-groups", another)
        .await
        .refused(409, "SecurityGroupDefaultAlreadyExists");
    // Another project has its own.
    let bobs = cloud.get("bob", "/v2.0/security-groups").await.ok(200)["security_groups"].clone();
    assert_ne!(bobs[0]["id"], group["id"]);
}

#[tokio::test]
async fn a_new_group_lets_everything_out() {
    let cloud = Cloud::start().await;
    let group =
        cloud.make("security-groups", "security_group", json!({"name": "g", "description": "d"})).await;
    let rules = group["security_group_rules"].as_array().unwrap();
    let kinds: Vec<_> = rules.iter().map(|r| (r["direction"].clone(), r["ethertype"].clone())).collect();
    assert_eq!(kinds, [(json!("egress"), json!("IPv4")), (json!("egress"), json!("IPv6"))]);
    for key in ["protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id"] {
        assert!(rules.iter().all(|r| r[key].is_null()), "{key}");
    }
    let path = format!("/v2.0/security-groups/{}", id(&group));
    let renamed = cloud.put("alice", &path, json!({"security_group": {"name": "h"}})).await.ok(200);
    assert_eq!(renamed["security_group"]["security_group_rules"].as_array().unwrap().len(), 2);
    cloud.delete("alice", &path).await.ok(204);
    cloud.get("alice", &path).await.refused(404, "SecurityGroupNotFound");
}

#[tokio::test]
async fn rules_are_added_once() {
    let cloud = Cloud::start().await;
    let group = id(&cloud.make("security-groups", "security_group", json!({"name": "g"})).await);
    let make = async |attributes: Value| {
        let mut rule = json!({"security_group_id": group, "direction": "ingress"});
        rule.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        cloud.post("alice", "/v2.0/security-group-rules", json!({ "security_group_rule": rule })).await
    };
    let ssh = json!({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22});
    let rule = make(ssh.clone()).await.ok(201)["security_group_rule"].clone();
    assert_eq!((&rule["ethertype"], &rule["port_range_max"]), (&json!("IPv4"), &json!(22)));
    let message = make(ssh).await.refused(409, "SecurityGroupRuleExists");
    assert_eq!(message, format!("Security group rule already exists. Rule id is {}.", id(&rule)));
    make(json!({"protocol": "4", "remote_ip_prefix": "10.0.0.0/8"})).await.ok(201);
    make(json!({"remote_group_id": "00000000-0000-4000-8000-000000000000"}))
        .await
        .refused(404, "SecurityGroupNotFound");
    make(json!({"direction": "sideways"})).await.refused(400, "HTTPBadRequest");
    make(json!({"protocol": "tcp", "port_range_min": 9, "port_range_max": 1}))
        .await
        .refused(400, "SecurityGroupInvalidPortRange");
    let path = format!("/v2.0/security-group-rules?security_group_id={group}");
    let get = async |more: &str| {
        cloud.get("alice", &format!("{path}{more}")).await.ok(200)["security_group_rules"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(get("").await, 4);
    assert_eq!(get("&protocol=4").await, 1);
    assert_eq!(get("&remote_ip_prefix=10.0.0.0/8").await, 1);
    assert_eq!(get("&direction=egress&ethertype=IPv6").await, 1);
    let bulk = |a: Value, b: Value| {
        let rule = |r: Value| {
            let mut rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "udp"});
            rule.as_object_mut().unwrap().extend(r.as_object().unwrap().clone());
            rule
        };
        cloud.post("alice", "/v2.0/security-group-rules", json!({"security_group_rules": [rule(a), rule(b)]}))
    };
    bulk(json!({}), json!({"protocol": "17"})).await.refused(409, "DuplicateSecurityGroupRuleInPost");
    bulk(json!({}), json!({"ethertype": "IPv6"})).await.ok(201);
    let one = format!("/v2.0/security-group-rules/{}", id(&rule));
    cloud.get("alice", &one).await.ok(200);
    cloud.delete("alice", &one).await.ok(204);
    cloud.delete("alice", &one).await.refused(404, "SecurityGroupRuleNotFound");
}

#[tokio::test]
async fn rules_reach_the_host_with_members_for_groups() {
    let cloud = Cloud::start().await;
    let (web, lb) = (cloud.network("web").await, cloud.network("lb").await);
    cloud.subnet(&web, "10.0.0.0/24").await;
    cloud.subnet(&lb, "10.1.0.0/24").await;
    let group = async |name: &str| {
        id(&cloud.make("security-groups", "security_group", json!({ "name": name })).await)
    };
    let (servers, balancers) = (group("servers").await, group("balancers").await);
    let port = async |network: &str, group: &str| {
        cloud.make("ports", "port", json!({"network_id": network, "security_groups": [group]})).await
    };
    let server = id(&port(&web, &servers).await);
    let rule = json!({"security_group_id": servers, "direction": "ingress", "protocol": "tcp",
        "port_range_min": 80, "port_range_max": 81, "remote_group_id": balancers});
    let rule = id(&cloud.make("security-group-rules", "security_group_rule", rule).await);
    let ingress = || {
        let plan = cloud.host.port(&web, &server)?;
        plan.rules.iter().find(|r| r.direction == Direction::Ingress).cloned()
    };
    let members = || cloud.host.network(&web)?.groups.remove(&balancers);
    cloud.until("a rule for nobody", || async { members().is_some_and(|m| m.is_empty()) }).await;
    assert_eq!(ingress().unwrap().remote, Remote::Group(balancers.clone()));
    assert_eq!(ingress().unwrap().ports, Some((80, 81)));

    // A member that comes to another network reaches this network's rules.
    let balancer = port(&lb, &balancers).await;
    let member = addresses(&balancer)[0].clone();
    cloud
        .until("a rule for one", || async {
            members().is_some_and(|m| m.iter().map(|n| n.addr().to_string()).eq([member.clone()]))
        })
        .await;
    let path = format!("/v2.0/ports/{}", id(&balancer));
    let pairs = json!({"port": {"allowed_address_pairs": [{"ip_address": "10.2.0.0/16"}]}});
    cloud.put("alice", &path, pairs).await.ok(200);
    cloud.until("its further addresses count", || async { members().is_some_and(|m| m.len() == 2) }).await;
    cloud.delete("alice", &path).await.ok(204);
    cloud.until("a rule for nobody again", || async { members().is_some_and(|m| m.is_empty()) }).await;
    // The other network has no rule that refers to the servers: it is left alone.
    cloud.app.ensure_plugged(std::slice::from_ref(&lb)).await.unwrap();
    let before = cloud.host.times(&lb);
    cloud.delete("alice", &format!("/v2.0/security-group-rules/{rule}")).await.ok(204);
    cloud.until("no rule", || async { ingress().is_none() }).await;
    assert_eq!(cloud.host.times(&lb), before);

    cloud
        .delete("alice", &format!("/v2.0/security-groups/{servers}"))
        .await
        .refused(409, "SecurityGroupInUse");
    cloud.delete("alice", &format!("/v2.0/security-groups/{balancers}")).await.ok(204);
}

#[tokio::test]
async fn a_group_takes_the_rules_that_refer_to_it_along() {
    let cloud = Cloud::start().await;
    let group = async |name: &str| {
        id(&cloud.make("security-groups", "security_group", json!({ "name": name })).await)
    };
    let (a, b) = (group("a").await, group("b").await);
    let rule = json!({"security_group_id": a, "direction": "ingress", "remote_group_id": b});
    cloud.make("security-group-rules", "security_group_rule", rule).await;
    cloud.delete("alice", &format!("/v2.0/security-groups/{b}")).await.ok(204);
    let left = cloud.get("alice", &format!("/v2.0/security-groups/{a}")).await.ok(200);
    assert_eq!(left["security_group"]["security_group_rules"].as_array().unwrap().len(), 2);
}
