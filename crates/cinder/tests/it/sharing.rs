use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn a_volume_is_handed_over() {
    let cloud = Cloud::start().await;
    for root in ["/v3/volume-transfers", "/v3/os-volume-transfer"] {
        let id = cloud.volume("member@p1", json!({})).await;
        let snapshot = cloud.snapshot("member@p1", &id).await;
        let body = json!({"transfer": {"volume_id": id, "name": "t"}});
        cloud.post("member@p2", root, body.clone()).await.is(404);
        let made = cloud.post("member@p1", root, body.clone()).await.is(202);
        let (path, key) = (format!("{root}/{}", made.id()), made.body["transfer"]["auth_key"].clone());
        cloud.post("member@p1", root, body).await.is(400);
        cloud.until(&id, "awaiting-transfer").await;
        cloud.delete("member@p1", &format!("/v3/volumes/{id}")).await.is(400);
        assert!(cloud.get("member@p1", &path).await.is(200).body["transfer"].get("auth_key").is_none());
        cloud.get("member@p2", &path).await.is(404);
        cloud.delete("member@p2", &path).await.is(404);
        assert_eq!(cloud.get("member@p1", &format!("{root}/detail")).await.is(200).ids("transfers").len(), 1);
        let accept = format!("{path}/accept");
        cloud.post("member@p2", &accept, json!({"accept": {"auth_key": "wrong"}})).await.is(400);
        cloud.post("member@p2", &accept, json!({"accept": {}})).await.is(400);
        cloud.post("member@p2", &accept, json!({"accept": { "auth_key": key }})).await.is(202);
        cloud.post("member@p2", &accept, json!({"accept": { "auth_key": key }})).await.is(404);
        cloud.get("member@p1", &format!("/v3/volumes/{id}")).await.is(404);
        let seen = cloud.get("member@p2", &format!("/v3/volumes/{id}")).await.is(200);
        assert_eq!(seen.body["volume"]["status"], "available");
        cloud.get("member@p2", &format!("/v3/snapshots/{snapshot}")).await.is(200);
        cloud.delete("member@p2", &format!("/v3/volumes/{id}?cascade=true")).await.is(202);
    }
}

#[tokio::test]
async fn an_offer_is_withdrawn_and_quotas_hold_for_the_taker() {
    let cloud = Cloud::start().await;
    let id = cloud.volume("member@p1", json!({"size": 3})).await;
    let offer = json!({"transfer": {"volume_id": id, "no_snapshots": true}});
    let made = cloud.post("member@p1", "/v3/volume-transfers", offer.clone()).await.is(202);
    cloud.delete("member@p1", &format!("/v3/volume-transfers/{}", made.id())).await.is(202);
    cloud.until(&id, "available").await;
    cloud.ask("admin", "PUT", "/v3/os-quota-sets/p2", json!({"quota_set": {"gigabytes": 2}})).await.is(200);
    let made = cloud.post("member@p1", "/v3/volume-transfers", offer).await.is(202);
    let accept = json!({"accept": {"auth_key": made.body["transfer"]["auth_key"]}});
    cloud.post("member@p2", &format!("/v3/volume-transfers/{}/accept", made.id()), accept).await.is(413);
    cloud.until(&id, "awaiting-transfer").await;
}
