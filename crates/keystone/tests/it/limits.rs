//! Registered limits and limits.

use serde_json::{Value, json};

use crate::cloud::{Answer, Cloud};

struct World {
    cloud: Cloud,
    admin: String,
    service: String,
}

async fn world() -> World {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let services = cloud.get(&admin, "/v3/services?type=compute").await.expect(200);
    let service = services.body["services"][0]["id"].as_str().unwrap().to_owned();
    World { cloud, admin, service }
}

impl World {
    async fn register(&self, more: Value) -> Answer {
        let limit = self.with(json!({"resource_name": "cores", "default_limit": 10}), &more);
        self.cloud.post(&self.admin, "/v3/registered_limits", json!({"registered_limits": [limit]})).await
    }

    async fn limit(&self, more: Value) -> Answer {
        let limit = self.with(json!({"resource_name": "cores", "resource_limit": 5}), &more);
        self.cloud.post(&self.admin, "/v3/limits", json!({"limits": [limit]})).await
    }

    fn with(&self, mut limit: Value, more: &Value) -> Value {
        limit["service_id"] = json!(self.service);
        for (key, value) in more.as_object().unwrap() {
            limit[key] = value.clone();
        }
        limit
    }
}

#[tokio::test]
async fn what_every_project_may_have() {
    let w = world().await;
    let made = w.register(json!({"description": "of processors"})).await.expect(201);
    let limit = &made.body["registered_limits"][0];
    assert_eq!((&limit["default_limit"], &limit["region_id"]), (&json!(10), &Value::Null));
    w.register(json!({})).await.expect(409);
    w.register(json!({"region_id": "RegionOne"})).await.expect(201);
    for bad in [
        json!({"service_id": "nothing"}),
        json!({"region_id": "nowhere"}),
        json!({"resource_name": ""}),
        json!({"default_limit": -2}),
        json!({"default_limit": "many"}),
        json!({"default_limit": 4_294_967_296_i64}),
        json!({"mystery": 1}),
    ] {
        w.register(bad).await.expect(400);
    }
    w.cloud.post(&w.admin, "/v3/registered_limits", json!({"registered_limits": []})).await.expect(400);
    let path = format!("/v3/registered_limits/{}", limit["id"].as_str().unwrap());
    let body = json!({"registered_limit": {"default_limit": 20}});
    let changed = w.cloud.patch(&w.admin, &path, body.clone()).await.expect(200);
    assert_eq!(changed.body["registered_limit"]["default_limit"], 20);
    let listed = w.cloud.get(&w.admin, "/v3/registered_limits?region_id=RegionOne").await.expect(200);
    assert_eq!(listed.body["registered_limits"].as_array().unwrap().len(), 1);
    // Everybody may know; only an admin changes.
    let (_, project, alice) = w.cloud.member(&w.admin, "alice", "member").await;
    w.cloud.get(&alice, &path).await.expect(200);
    w.cloud.patch(&alice, &path, body.clone()).await.expect(403);
    w.limit(json!({"project_id": project})).await.expect(201);
    w.cloud.patch(&w.admin, &path, body).await.expect(403);
    w.cloud.delete(&w.admin, &path).await.expect(403);
    w.cloud.delete(&w.admin, &format!("/v3/projects/{project}")).await.expect(204);
    w.cloud.delete(&w.admin, &path).await.expect(204);
    w.cloud.get(&w.admin, &path).await.expect(404);
}

#[tokio::test]
async fn what_one_project_may_have() {
    let w = world().await;
    let (_, project, alice) = w.cloud.member(&w.admin, "alice", "member").await;
    let (_, other, bob) = w.cloud.member(&w.admin, "bob", "member").await;
    w.limit(json!({"project_id": project})).await.expect(403);
    w.register(json!({})).await.expect(201);
    let made = w.limit(json!({"project_id": project})).await.expect(201);
    let limit = &made.body["limits"][0];
    assert_eq!((&limit["resource_limit"], &limit["domain_id"]), (&json!(5), &Value::Null));
    w.limit(json!({"project_id": project})).await.expect(409);
    w.limit(json!({"project_id": other})).await.expect(201);
    w.limit(json!({"domain_id": "default"})).await.expect(201);
    for bad in [
        json!({}),
        json!({"project_id": project, "domain_id": "default"}),
        json!({"project_id": "nowhere"}),
        json!({"domain_id": project}),
    ] {
        w.limit(bad).await.expect(400);
    }
    let path = format!("/v3/limits/{}", limit["id"].as_str().unwrap());
    w.cloud.get(&alice, &path).await.expect(200);
    w.cloud.get(&bob, &path).await.expect(403);
    let count = async |token: &str, query: &str| {
        let answer = w.cloud.get(token, &format!("/v3/limits{query}")).await.expect(200);
        answer.body["limits"].as_array().unwrap().len()
    };
    assert_eq!((count(&w.admin, "").await, count(&alice, "").await, count(&bob, "").await), (3, 1, 1));
    assert_eq!(count(&w.admin, &format!("?project_id={project}")).await, 1);
    assert_eq!(count(&w.admin, "?domain_id=default").await, 1);
    let body = json!({"limit": {"resource_limit": 7, "description": "more"}});
    w.cloud.patch(&alice, &path, body.clone()).await.expect(403);
    let changed = w.cloud.patch(&w.admin, &path, body).await.expect(200);
    assert_eq!(changed.body["limit"]["resource_limit"], 7);
    w.cloud.patch(&w.admin, &path, json!({"limit": {"project_id": other}})).await.expect(400);
    w.cloud.delete(&w.admin, &path).await.expect(204);
    w.cloud.delete(&alice, &path).await.expect(404);
    let model = w.cloud.get(&alice, "/v3/limits/model").await.expect(200);
    assert_eq!(model.body["model"]["name"], "flat");
}
