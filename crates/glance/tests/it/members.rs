use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn an_image_is_shared() {
    let cloud = Cloud::start().await;
    let path = cloud.image("member@p1", json!({})).await;
    let members = format!("{path}/members");
    cloud.get("member@p2", &path).await.is(404);
    let made = cloud.ask("member@p1", "POST", &members, Some(json!({"member": "p2"}))).await.is(200);
    assert_eq!((&made.body["status"], &made.body["member_id"]), (&json!("pending"), &json!("p2")));
    cloud.ask("member@p1", "POST", &members, Some(json!({"member": "p2"}))).await.is(409);
    cloud.ask("member@p1", "POST", &members, Some(json!({"member": "p3"}))).await.is(200);
    cloud.ask("member@p1", "POST", &members, Some(json!({"member": ""}))).await.is(400);
    cloud.ask("member@p1", "POST", &members, Some(json!({}))).await.is(400);
    cloud.ask("reader@p1", "POST", &members, Some(json!({"member": "p4"}))).await.is(403);
    cloud.ask("member@p2", "POST", &members, Some(json!({"member": "p4"}))).await.is(403);
    // A member sees the image and itself; listed it is once accepted.
    cloud.get("reader@p2", &path).await.is(200);
    assert!(cloud.get("reader@p2", "/v2/images").await.ids().is_empty());
    assert_eq!(cloud.get("reader@p2", "/v2/images?member_status=pending").await.ids().len(), 1);
    let list = |answer: crate::cloud::Answer| answer.is(200).body["members"].as_array().unwrap().len();
    assert_eq!(list(cloud.get("reader@p1", &members).await), 2);
    assert_eq!(list(cloud.get("reader@p2", &members).await), 1);
    cloud.get("reader@p2", &format!("{members}/p3")).await.is(404);
    let own = format!("{members}/p2");
    let accept = || Some(json!({"status": "accepted"}));
    cloud.ask("member@p1", "PUT", &own, accept()).await.is(403);
    cloud.ask("reader@p2", "PUT", &own, accept()).await.is(403);
    cloud.ask("member@p4", "PUT", &own, accept()).await.is(404);
    cloud.ask("member@p2", "PUT", &own, Some(json!({"status": "perhaps"}))).await.is(400);
    cloud.ask("member@p2", "PUT", &own, accept()).await.is(200);
    assert_eq!(cloud.get("reader@p2", "/v2/images").await.ids().len(), 1);
    cloud.ask("member@p2", "PUT", &own, Some(json!({"status": "rejected"}))).await.is(200);
    assert!(cloud.get("reader@p2", "/v2/images").await.ids().is_empty());
    cloud.get("reader@p2", &path).await.is(200);
    cloud.ask("member@p2", "DELETE", &own, None).await.is(403);
    cloud.ask("reader@p1", "DELETE", &own, None).await.is(403);
    cloud.ask("member@p1", "DELETE", &own, None).await.is(204);
    cloud.get("reader@p2", &path).await.is(404);
    cloud.ask("member@p1", "DELETE", &own, None).await.is(404);
}

#[tokio::test]
async fn only_shared_images_have_members() {
    let cloud = Cloud::start().await;
    let path = cloud.image("member@p1", json!({"visibility": "private"})).await;
    cloud.ask("member@p1", "POST", &format!("{path}/members"), Some(json!({"member": "p2"}))).await.is(403);
    cloud.get("member@p1", &format!("{path}/members")).await.is(403);
    cloud.get("member@p1", &format!("{path}/members/p2")).await.is(404);
}
