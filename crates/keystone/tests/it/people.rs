//! Users and groups.

use serde_json::{Value, json};

use crate::cloud::Cloud;

#[tokio::test]
async fn a_user_from_birth_to_death() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let body = json!({"user": {"name": "alice", "password": "pw", "email": "a@b.c", "description": "hi"}});
    let made = cloud.post(&admin, "/v3/users", body.clone()).await.expect(201);
    let user = &made.body["user"];
    assert_eq!(user["email"], "a@b.c");
    assert_eq!(user["description"], "hi");
    assert_eq!(user["domain_id"], "default");
    assert_eq!(user["enabled"], true);
    assert_eq!(user["options"], json!({}));
    assert_eq!(user["password_expires_at"], Value::Null);
    assert!(!made.body.to_string().contains("\"password\""));
    let path = format!("/v3/users/{}", made.id("user"));
    assert_eq!(cloud.get(&admin, &path).await.expect(200).body, made.body);
    let again = cloud.post(&admin, "/v3/users", body).await.expect(409);
    assert_eq!(
        again.message(),
        "Conflict occurred attempting to store user - Duplicate entry found with name alice at domain ID default."
    );
    let changed =
        cloud.patch(&admin, &path, json!({"user": {"email": "new@b.c", "name": "al"}})).await.expect(200);
    assert_eq!(
        (&changed.body["user"]["email"], &changed.body["user"]["name"]),
        (&json!("new@b.c"), &json!("al"))
    );
    cloud.login("al", "pw", None).await.expect(201);
    cloud.delete(&admin, &path).await.expect(204);
    cloud.get(&admin, &path).await.expect(404);
}

#[tokio::test]
async fn what_a_user_must_be() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    for (user, status) in [
        (json!({}), 400),
        (json!({"name": ""}), 400),
        (json!({"name": "x", "password": 5}), 400),
        (json!({"name": "x", "enabled": 1}), 400),
        (json!({"name": "x", "options": {"mystery": true}}), 400),
        (json!({"name": "x", "default_project_id": "default"}), 400),
        (json!({"name": "x", "domain_id": "nowhere"}), 404),
        (json!({"name": "x", "password": "p".repeat(5000)}), 403),
    ] {
        let text = user.to_string();
        let answer = cloud.post(&admin, "/v3/users", json!({"user": user})).await;
        assert_eq!(answer.status.as_u16(), status, "{:.100}", text);
    }
    let id = cloud.make_user(&admin, "alice").await;
    let path = format!("/v3/users/{id}");
    cloud.patch(&admin, &path, json!({"user": {"domain_id": "other"}})).await.expect(400);
    cloud.patch(&admin, &path, json!({"user": {"name": "admin"}})).await.expect(409);
    let options = json!({"user": {"options": {"ignore_password_expiry": true}}});
    let set = cloud.patch(&admin, &path, options).await.expect(200);
    assert_eq!(set.body["user"]["options"], json!({"ignore_password_expiry": true}));
    let options = json!({"user": {"options": {"ignore_password_expiry": null}}});
    let unset = cloud.patch(&admin, &path, options).await.expect(200);
    assert_eq!(unset.body["user"]["options"], json!({}));
}

#[tokio::test]
async fn what_users_see_of_themselves() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (id, _, alice) = cloud.member(&admin, "alice", "member").await;
    let (other, _, _) = cloud.member(&admin, "bob", "member").await;
    cloud.get(&alice, &format!("/v3/users/{id}")).await.expect(200);
    let projects = cloud.get(&alice, &format!("/v3/users/{id}/projects")).await.expect(200);
    assert_eq!(projects.names("projects"), ["alice-project"]);
    cloud.get(&alice, &format!("/v3/users/{id}/groups")).await.expect(200);
    for path in ["", "/projects", "/groups"] {
        cloud.get(&alice, &format!("/v3/users/{other}{path}")).await.expect(403);
        // Whether somebody exists is nobody's business either.
        cloud.get(&alice, &format!("/v3/users/nobody{path}")).await.expect(403);
        cloud.get(&admin, &format!("/v3/users/nobody{path}")).await.expect(404);
    }
    cloud.get(&alice, "/v3/users").await.expect(403);
    let refused = cloud
        .patch(&alice, &format!("/v3/users/{id}"), json!({"user": {"enabled": false}}))
        .await
        .expect(403);
    assert_eq!(
        refused.message(),
        "You are not authorized to perform the requested action: identity:update_user."
    );
}

#[tokio::test]
async fn groups_carry_roles() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let group =
        cloud.post(&admin, "/v3/groups", json!({"group": {"name": "staff"}})).await.expect(201).id("group");
    cloud.post(&admin, "/v3/groups", json!({"group": {"name": "staff"}})).await.expect(409);
    cloud.post(&admin, "/v3/groups", json!({"group": {}})).await.expect(400);
    let user = cloud.make_user(&admin, "alice").await;
    let project_id = cloud.make_project(&admin, "web").await;
    let role = cloud.role(&admin, "member").await;
    cloud.put(&admin, &format!("/v3/projects/{project_id}/groups/{group}/roles/{role}")).await.expect(204);
    let scope = json!({"project": {"id": project_id}});
    cloud.login("alice", "pw", Some(scope.clone())).await.expect(401);
    let member = format!("/v3/groups/{group}/users/{user}");
    cloud.head(&admin, &member).await.expect(404);
    cloud.put(&admin, &member).await.expect(204);
    cloud.head(&admin, &member).await.expect(204);
    let token = cloud.login("alice", "pw", Some(scope)).await.expect(201).token();
    assert_eq!(cloud.get(&admin, &format!("/v3/groups/{group}/users")).await.names("users"), ["alice"]);
    assert_eq!(cloud.get(&admin, &format!("/v3/users/{user}/groups")).await.names("groups"), ["staff"]);
    assert_eq!(cloud.get(&token, "/v3/auth/projects").await.names("projects"), ["web"]);
    cloud.delete(&admin, &member).await.expect(204);
    cloud.delete(&admin, &member).await.expect(404);
    cloud.validate(&admin, &token).await.expect(404);
    cloud.put(&admin, &format!("/v3/groups/{group}/users/nobody")).await.expect(404);
    cloud.put(&admin, &format!("/v3/groups/nowhere/users/{user}")).await.expect(404);
    let changed =
        cloud.patch(&admin, &format!("/v3/groups/{group}"), json!({"group": {"description": "x"}})).await;
    assert_eq!(changed.expect(200).body["group"]["description"], "x");
    cloud.delete(&admin, &format!("/v3/groups/{group}")).await.expect(204);
    cloud.get(&admin, &format!("/v3/groups/{group}")).await.expect(404);
}
