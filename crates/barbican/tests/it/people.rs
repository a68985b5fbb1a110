//! Who may do what.

use serde_json::{Value, json};

use crate::cloud::Cloud;

const ANN: &str = "ann:member@p1";
const BEN: &str = "ben:member@p1";
const READER: &str = "rae:reader@p1";
const ADMIN: &str = "adi:admin@p1";
const STRANGER: &str = "sam:member@p2";
const ADMIN_ELSEWHERE: &str = "alf:admin@p2";

fn secret() -> Value {
    json!({"payload": "x", "payload_content_type": "text/plain"})
}

#[tokio::test]
async fn a_projects_members_share_its_secrets_and_nobody_else_does() {
    let cloud = Cloud::start().await;
    let path = cloud.secret(ANN, secret()).await;
    for (who, shown, read) in [
        (ANN, 200, 200),
        (BEN, 200, 200),
        (ADMIN, 200, 200),
        (READER, 403, 403),
        (STRANGER, 403, 403),
        (ADMIN_ELSEWHERE, 200, 403),
    ] {
        cloud.get(who, &path).await.is(shown);
        cloud.payload(who, &path, "*/*").await.is(read);
    }
    let refused = cloud.get(STRANGER, &path).await;
    assert_eq!(
        refused.description(),
        "Secret retrieval attempt not allowed - please review your user/project privileges"
    );
    cloud.post(READER, "/v1/secrets", secret()).await.is(403);
    cloud.get("adi:admin@system", "/v1/secrets").await.is(403);
    cloud.call(STRANGER, "DELETE", &path, Value::Null).await.is(403);
    cloud.call(ADMIN_ELSEWHERE, "DELETE", &path, Value::Null).await.is(204);
}

#[tokio::test]
async fn a_private_secret_is_its_creators_and_of_those_on_its_list() {
    let cloud = Cloud::start().await;
    let path = cloud.secret(ANN, secret()).await;
    let acl = format!("{path}/acl");
    assert_eq!(cloud.get(ANN, &acl).await.is(200).body, json!({"read": {"project-access": true}}));
    let list = json!({"read": {"users": ["sam"], "project-access": false}});
    let answer = cloud.call(ANN, "PUT", &acl, list).await.is(200);
    assert!(answer.path("acl_ref").ends_with("/acl"));
    for (who, read) in
        [(ANN, 200), (ADMIN, 200), (BEN, 403), (READER, 403), (STRANGER, 200), (ADMIN_ELSEWHERE, 403)]
    {
        cloud.payload(who, &path, "*/*").await.is(read);
    }
    // Who reads may not change, and not look at the list.
    cloud.get(STRANGER, &acl).await.is(403);
    cloud.call(STRANGER, "DELETE", &path, Value::Null).await.is(403);
    assert_eq!(cloud.get(STRANGER, "/v1/secrets?acl_only=true").await.is(200).body["total"], 1);
    // A patch keeps what it does not say.
    cloud.call(ANN, "PATCH", &acl, json!({"read": {"project-access": true}})).await.is(200);
    let read = cloud.get(ANN, &acl).await.is(200).body["read"].clone();
    assert_eq!((&read["users"], &read["project-access"]), (&json!(["sam"]), &json!(true)));
    cloud.call(ANN, "PUT", &acl, json!({"write": {}})).await.is(400);
    cloud.call(ANN, "DELETE", &acl, Value::Null).await.is(200);
    cloud.payload(STRANGER, &path, "*/*").await.is(403);
    cloud.payload(BEN, &path, "*/*").await.is(200);
}

#[tokio::test]
async fn quotas_are_kept() {
    let cloud = Cloud::start().await;
    assert_eq!(cloud.get(READER, "/v1/quotas").await.is(200).body["quotas"]["secrets"], -1);
    let quotas = "/v1/project-quotas/p1";
    cloud.get(ANN, quotas).await.is(403);
    cloud.get(ADMIN, quotas).await.is(404);
    cloud.call(ADMIN, "PUT", quotas, json!({"project_quotas": {"cats": 1}})).await.is(400);
    let limits = json!({"project_quotas": {"secrets": 1, "containers": 0}});
    cloud.call(ADMIN, "PUT", quotas, limits).await.is(204);
    let shown = cloud.get(ADMIN, quotas).await.is(200).body["project_quotas"].clone();
    let expected = json!({"secrets": 1, "orders": null, "containers": 0, "consumers": null, "cas": null});
    assert_eq!(shown, expected);
    cloud.secret(ANN, secret()).await;
    let refused = cloud.post(ANN, "/v1/secrets", secret()).await.is(403);
    assert_eq!(
        refused.description(),
        "Secret creation issue seen - Creation not allowed because a quota has been reached."
    );
    cloud.post(ANN, "/v1/containers", json!({"type": "generic"})).await.is(403);
    assert_eq!(cloud.get(ADMIN, "/v1/project-quotas").await.is(200).body["total"], 1);
    cloud.call(ADMIN, "DELETE", quotas, Value::Null).await.is(204);
    cloud.secret(ANN, secret()).await;
}
