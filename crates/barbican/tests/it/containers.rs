use serde_json::{Value, json};

use crate::cloud::Cloud;

const MEMBER: &str = "ann:member@p1";

fn member(name: &str, path: &str) -> Value {
    json!({"name": name, "secret_ref": format!("http://cloud/key-manager{path}")})
}

#[tokio::test]
async fn a_certificate_and_its_key_are_one_container() {
    let cloud = Cloud::start().await;
    let certificate = cloud.secret(MEMBER, json!({"secret_type": "certificate"})).await;
    let key = cloud.secret(MEMBER, json!({"secret_type": "private"})).await;
    let refs = json!([member("certificate", &certificate), member("private_key", &key)]);
    let wanted = json!({"name": "tls", "type": "certificate", "secret_refs": refs});
    let path = cloud.post(MEMBER, "/v1/containers", wanted).await.is(201).path("container_ref");
    let shown = cloud.get(MEMBER, &path).await.is(200).body;
    assert_eq!(shown["secret_refs"], refs);
    assert_eq!((&shown["type"], &shown["name"]), (&json!("certificate"), &json!("tls")));
    // Load balancers write themselves down.
    let consumers = format!("{path}/consumers");
    let consumer = json!({"name": "octavia", "URL": "http://cloud/lb/1"});
    let with = cloud.post(MEMBER, &consumers, consumer.clone()).await.is(200).body;
    assert_eq!(with["consumers"], json!([consumer]));
    let listed = cloud.get(MEMBER, &consumers).await.is(200).body;
    assert_eq!((&listed["total"], &listed["consumers"][0]["name"]), (&json!(1), &json!("octavia")));
    let without = cloud.call(MEMBER, "DELETE", &consumers, consumer).await.is(200).body;
    assert_eq!(without["consumers"], json!([]));
    let refused = cloud.post(MEMBER, &format!("{path}/secrets"), member("x", &key)).await.is(400);
    assert_eq!(refused.description(), "Only 'generic' containers can be modified.");
    cloud.call(MEMBER, "DELETE", &path, Value::Null).await.is(204);
    cloud.get(MEMBER, &path).await.is(404);
    cloud.get(MEMBER, &certificate).await.is(200);
}

#[tokio::test]
async fn a_generic_container_grows_and_shrinks() {
    let cloud = Cloud::start().await;
    let secret = cloud.secret(MEMBER, json!({})).await;
    let empty = json!({"type": "generic"});
    let path = cloud.post(MEMBER, "/v1/containers", empty).await.is(201).path("container_ref");
    let secrets = format!("{path}/secrets");
    let one = member("one", &secret);
    cloud.post(MEMBER, &secrets, one.clone()).await.is(201);
    cloud.post(MEMBER, &secrets, one.clone()).await.is(409);
    cloud.call(MEMBER, "DELETE", &secrets, one.clone()).await.is(204);
    cloud.call(MEMBER, "DELETE", &secrets, one).await.is(404);
    let foreign = member("x", &cloud.secret("bob:member@p2", json!({})).await);
    cloud.post(MEMBER, &secrets, foreign.clone()).await.is(404);
    let wanted = json!({"type": "generic", "secret_refs": [foreign]});
    let refused = cloud.post(MEMBER, "/v1/containers", wanted).await.is(404);
    assert_eq!(refused.description(), "Secret provided for 'x' doesn't exist.");
}

#[tokio::test]
async fn of_those_who_add_the_same_at_once_one_succeeds() {
    let cloud = Cloud::start().await;
    let secret = cloud.secret(MEMBER, json!({})).await;
    let empty = json!({"type": "generic"});
    let path = cloud.post(MEMBER, "/v1/containers", empty).await.is(201).path("container_ref");
    let add = async || cloud.post(MEMBER, &format!("{path}/secrets"), member("one", &secret)).await.status;
    let (a, b, c) = tokio::join!(add(), add(), add());
    let mut statuses = [a, b, c];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
}

#[tokio::test]
async fn a_deleted_secret_leaves_its_containers() {
    let cloud = Cloud::start().await;
    let secret = cloud.secret(MEMBER, json!({})).await;
    let wanted = json!({"type": "generic", "secret_refs": [member("x", &secret)]});
    let path = cloud.post(MEMBER, "/v1/containers", wanted).await.is(201).path("container_ref");
    cloud.call(MEMBER, "DELETE", &secret, Value::Null).await.is(204);
    assert_eq!(cloud.get(MEMBER, &path).await.is(200).body["secret_refs"], json!([]));
    let listed = cloud.get(MEMBER, "/v1/containers?type=rsa").await.is(200).body;
    assert_eq!(listed, json!({"containers": [], "total": 0}));
}
