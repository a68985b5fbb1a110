//! A child that the host refuses is its own trouble: the rest is served, and may be changed.

use host::fake::{Fault, Operation};
use serde_json::{Value, json};

use crate::cloud::{Cloud, id};

impl Cloud {
    /// The host refuses the next thing that it is asked for.
    fn refuse_next(&self) {
        self.host.faults().fail_next(Operation::ApplyBalancer, "no");
    }

    async fn post_refused(&self, balancer: &str, collection: &str, member: &str, fields: Value) -> String {
        self.refuse_next();
        let made = self.post(collection, json!({ member: fields })).await.ok(201)[member].clone();
        self.active(balancer).await;
        id(&made)
    }

    async fn provisioning(&self, path: &str, member: &str) -> Value {
        self.get(path).await[member]["provisioning_status"].clone()
    }

    fn ports(&self, balancer: &str) -> Vec<u16> {
        self.host.plan(balancer).unwrap().listeners.iter().map(|one| one.port).collect()
    }
}

fn listener(balancer: &str, port: u16) -> Value {
    json!({"loadbalancer_id": balancer, "protocol": "HTTP", "protocol_port": port})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_refused_can_be_deleted_and_locks_nothing() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    cloud.make(&balancer, "listeners", "listener", listener(&balancer, 80)).await;
    let bad = cloud.post_refused(&balancer, "listeners", "listener", listener(&balancer, 81)).await;
    let path = format!("listeners/{bad}");
    assert_eq!(cloud.provisioning(&path, "listener").await, "ERROR");
    assert_eq!(cloud.ports(&balancer), [80]);
    // Another change does not suffer from it.
    cloud.refuse_next();
    let good = cloud.make(&balancer, "listeners", "listener", listener(&balancer, 82)).await;
    let good = format!("listeners/{}", id(&good));
    assert_eq!(cloud.provisioning(&good, "listener").await, "ACTIVE");
    assert_eq!(cloud.provisioning(&path, "listener").await, "ERROR");
    assert_eq!(cloud.ports(&balancer), [80, 82]);
    assert_eq!(cloud.delete(&path).await.status, 204);
    cloud.active(&balancer).await;
    cloud.call("alice", "GET", &path, None).await.refused(404, &format!("Listener {bad} not found."));
    assert_eq!(cloud.ports(&balancer), [80, 82]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_refused_can_be_corrected() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let bad = cloud.post_refused(&balancer, "listeners", "listener", listener(&balancer, 80)).await;
    let path = format!("listeners/{bad}");
    cloud.put(&path, json!({"listener": {"connection_limit": 5}})).await.ok(200);
    cloud.active(&balancer).await;
    assert_eq!(cloud.provisioning(&path, "listener").await, "ACTIVE");
    assert_eq!(cloud.host.plan(&balancer).unwrap().listeners[0].connection_limit, Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_to_something_refused_is_served_as_before() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let made = cloud.make(&balancer, "listeners", "listener", listener(&balancer, 80)).await;
    let pool = json!({"listener_id": made["id"], "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = id(&cloud.make(&balancer, "pools", "pool", pool).await);
    let members = format!("pools/{pool}/members");
    let member = json!({"address": "10.0.0.9", "protocol_port": 80, "weight": 3});
    let member = format!("{members}/{}", id(&cloud.make(&balancer, &members, "member", member).await));
    let weight = || cloud.host.plan(&balancer).unwrap().pools[0].members[0].weight;
    for wanted in [7, 8] {
        cloud.refuse_next();
        cloud.put(&member, json!({"member": {"weight": wanted}})).await.ok(200);
        cloud.active(&balancer).await;
        let shown = cloud.get(&member).await["member"].clone();
        assert_eq!((&shown["provisioning_status"], &shown["weight"]), (&json!("ERROR"), &json!(wanted)));
        assert!(shown.as_object().unwrap().keys().all(|name| !name.starts_with('_')));
        assert_eq!(weight(), 3);
    }
    // Whom it hangs on is well, and may be changed.
    for (path, noun) in [(format!("pools/{pool}"), "pool"), (format!("listeners/{}", id(&made)), "listener")]
    {
        assert_eq!(cloud.provisioning(&path, noun).await, "ACTIVE");
    }
    cloud.refuse_next();
    cloud.put(&format!("pools/{pool}"), json!({"pool": {"name": "new"}})).await.ok(200);
    cloud.active(&balancer).await;
    assert_eq!((cloud.provisioning(&format!("pools/{pool}"), "pool").await, weight()), (json!("ACTIVE"), 3));
    // Made anew, as after a start: the host has changed its mind.
    cloud.call("admin", "PUT", &format!("loadbalancers/{balancer}/failover"), None).await.ok(202);
    cloud.active(&balancer).await;
    assert_eq!((cloud.provisioning(&member, "member").await, weight()), (json!("ACTIVE"), 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_batch_are_refused_together() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let made = cloud.make(&balancer, "listeners", "listener", listener(&balancer, 80)).await;
    let pool = json!({"listener_id": made["id"], "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = id(&cloud.make(&balancer, "pools", "pool", pool).await);
    let members = format!("pools/{pool}/members");
    let member = |last: u8, weight: u8| json!({"address": format!("10.0.0.{last}"), "protocol_port": 80, "weight": weight});
    cloud.make(&balancer, &members, "member", member(1, 1)).await;
    cloud.refuse_next();
    cloud.put(&members, json!({"members": [member(1, 9), member(2, 2)]})).await.ok(202);
    cloud.active(&balancer).await;
    let shown = cloud.get(&members).await["members"].as_array().unwrap().clone();
    assert!(shown.iter().all(|one| one["provisioning_status"] == "ERROR"), "{shown:?}");
    let served = cloud.host.plan(&balancer).unwrap().pools[0].members.clone();
    assert_eq!((served.len(), served[0].weight), (1, 1));
    // The whole list again.
    cloud.put(&members, json!({"members": [member(1, 4)]})).await.ok(202);
    cloud.active(&balancer).await;
    let served = cloud.host.plan(&balancer).unwrap().pools[0].members.clone();
    assert_eq!((served.len(), served[0].weight), (1, 4));
    assert_eq!(cloud.get(&members).await["members"][0]["provisioning_status"], "ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_refused_leaves_its_listener_as_it_was() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let made = cloud.make(&balancer, "listeners", "listener", listener(&balancer, 80)).await;
    let pool = json!({"listener_id": made["id"], "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = cloud.post_refused(&balancer, "pools", "pool", pool).await;
    let path = format!("listeners/{}", id(&made));
    assert_eq!(cloud.provisioning(&path, "listener").await, "ACTIVE");
    assert_eq!(cloud.provisioning(&format!("pools/{pool}"), "pool").await, "ERROR");
    assert_eq!(cloud.ports(&balancer), [80]);
    let member = json!({"member": {"address": "10.0.0.9", "protocol_port": 80}});
    let words = format!("Pool {pool} is immutable and cannot be updated.");
    cloud.post(&format!("pools/{pool}/members"), member).await.refused(409, &words);
    assert_eq!(cloud.delete(&format!("pools/{pool}")).await.status, 204);
    cloud.active(&balancer).await;
    assert_eq!(cloud.get(&path).await["listener"]["default_pool_id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_that_cannot_be_made_is_an_error_itself() {
    let cloud = Cloud::start().await;
    let (_, subnet) = cloud.subnet().await;
    let faults = cloud.host.faults();
    let operation = Some(Operation::ApplyBalancer);
    faults.add(Fault { operation, error: Some("no".into()), ..Fault::default() });
    let listeners = json!([{"protocol": "HTTP", "protocol_port": 80}]);
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "listeners": listeners}});
    let made = cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"].clone();
    let path = format!("loadbalancers/{}", id(&made));
    cloud.until(&path, "/loadbalancer/provisioning_status", json!("ERROR")).await;
    let child = format!("listeners/{}", id(&made["listeners"][0]));
    assert_eq!(cloud.provisioning(&child, "listener").await, "ERROR");
    faults.clear();
    cloud.active(&id(&made)).await;
    assert_eq!(cloud.provisioning(&child, "listener").await, "ACTIVE");
}
