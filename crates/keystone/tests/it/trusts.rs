//! Trusts, and tokens by them.

use serde_json::{Value, json};

use crate::cloud::{Answer, Cloud, by_password, by_token, system};

struct World {
    cloud: Cloud,
    admin: String,
    /// (id, project, token)
    alice: (String, String, String),
    bob: String,
}

/// Alice is a member of a project; Bob is nobody.
async fn world() -> World {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let alice = cloud.member(&admin, "alice", "member").await;
    let bob = cloud.make_user(&admin, "bob").await;
    World { cloud, admin, alice, bob }
}

impl World {
    fn body(&self, more: Value) -> Value {
        let mut trust = json!({
            "trustor_user_id": self.alice.0,
            "trustee_user_id": self.bob,
            "project_id": self.alice.1,
            "roles": [{"name": "member"}],
            "impersonation": false,
        });
        for (key, value) in more.as_object().unwrap() {
            trust[key] = value.clone();
        }
        json!({"trust": trust})
    }

    async fn make(&self, more: Value) -> Answer {
        self.cloud.post(&self.alice.2, "/v3/OS-TRUST/trusts", self.body(more)).await
    }

    async fn enter(&self, user: &str, trust: &str) -> Answer {
        self.cloud.login(user, "pw", Some(json!({"OS-TRUST:trust": {"id": trust}}))).await
    }
}

fn roles(answer: &Answer) -> Vec<&str> {
    let roles = answer.body["token"]["roles"].as_array().unwrap();
    roles.iter().map(|r| r["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_trustee_acts_in_the_project() {
    let w = world().await;
    let made = w.make(json!({})).await.expect(201);
    let trust = &made.body["trust"];
    assert_eq!(trust["roles"][0]["name"], "member");
    assert_eq!((&trust["expires_at"], &trust["remaining_uses"]), (&Value::Null, &Value::Null));
    assert_eq!((&trust["redelegation_count"], &trust["deleted_at"]), (&json!(0), &Value::Null));
    let id = made.id("trust");
    let answer = w.enter("bob", &id).await.expect(201);
    assert_eq!(roles(&answer), ["member", "reader"]);
    let token = &answer.body["token"];
    assert_eq!(token["project"]["id"], w.alice.1.as_str());
    assert_eq!(token["user"]["name"], "bob");
    let shown = json!({
        "id": id,
        "trustor_user": {"id": w.alice.0},
        "trustee_user": {"id": w.bob},
        "impersonation": false,
    });
    assert_eq!(token["OS-TRUST:trust"], shown);
    // It is no way to other tokens.
    w.cloud.authenticate(by_token(&answer.token()), None).await.expect(403);
    // Nor to credentials that would outlive it.
    let path = format!("/v3/users/{}/application_credentials", w.bob);
    let body = json!({"application_credential": {"name": "x"}});
    w.cloud.post(&answer.token(), &path, body).await.expect(403);
    w.enter("alice", &id).await.expect(403);
    w.enter("bob", "nothing").await.expect(401);
}

#[tokio::test]
async fn impersonation_speaks_for_the_trustor() {
    let w = world().await;
    let id = w.make(json!({"impersonation": true})).await.expect(201).id("trust");
    let answer = w.enter("bob", &id).await.expect(201);
    assert_eq!(answer.body["token"]["user"]["id"], w.alice.0.as_str());
    w.cloud.get(&answer.token(), &format!("/v3/users/{}", w.alice.0)).await.expect(200);
    let seen = w.cloud.validate(&w.admin, &answer.token()).await.expect(200);
    assert_eq!(seen.body["token"]["OS-TRUST:trust"]["trustee_user"]["id"], w.bob.as_str());
}

#[tokio::test]
async fn it_ends_with_what_it_rests_on() {
    let w = world().await;
    let (alice, project, token) = &w.alice;
    let id = w.make(json!({})).await.expect(201).id("trust");
    let by_trust = w.enter("bob", &id).await.expect(201).token();
    // The trustor loses the role, and has it again.
    let role = w.cloud.role(&w.admin, "member").await;
    let grant = format!("/v3/projects/{project}/users/{alice}/roles/{role}");
    w.cloud.delete(&w.admin, &grant).await.expect(204);
    w.cloud.validate(&w.admin, &by_trust).await.expect(404);
    w.enter("bob", &id).await.expect(403);
    w.cloud.put(&w.admin, &grant).await.expect(204);
    w.cloud.validate(&w.admin, &by_trust).await.expect(200);
    // The trustor is disabled, and enabled.
    let user = format!("/v3/users/{alice}");
    w.cloud.patch(&w.admin, &user, json!({"user": {"enabled": false}})).await.expect(200);
    w.cloud.get(&by_trust, "/v3/auth/projects").await.expect(401);
    w.enter("bob", &id).await.expect(403);
    w.cloud.patch(&w.admin, &user, json!({"user": {"enabled": true}})).await.expect(200);
    w.cloud.validate(&w.admin, &by_trust).await.expect(200);
    // It is deleted, by its trustor.
    let again = w.cloud.login("alice", "pw", Some(json!({"project": {"id": project}}))).await.token();
    w.cloud.delete(&again, &format!("/v3/OS-TRUST/trusts/{id}")).await.expect(204);
    w.cloud.validate(&w.admin, &by_trust).await.expect(404);
    w.enter("bob", &id).await.expect(401);
    w.cloud.get(token, "/v3/auth/projects").await.expect(401);
    // With the trustee or the project it is gone.
    let id = w.cloud.post(&again, "/v3/OS-TRUST/trusts", w.body(json!({}))).await.expect(201).id("trust");
    w.cloud.delete(&w.admin, &format!("/v3/users/{}", w.bob)).await.expect(204);
    w.cloud.get(&w.admin, &format!("/v3/OS-TRUST/trusts/{id}")).await.expect(404);
}

#[tokio::test]
async fn uses_are_counted() {
    let w = world().await;
    let id = w.make(json!({"remaining_uses": 2})).await.expect(201).id("trust");
    w.enter("bob", &id).await.expect(201);
    let shown = w.cloud.get(&w.admin, &format!("/v3/OS-TRUST/trusts/{id}")).await.expect(200);
    assert_eq!(shown.body["trust"]["remaining_uses"], 1);
    let last = w.enter("bob", &id).await.expect(201).token();
    w.enter("bob", &id).await.expect(401);
    w.cloud.get(&w.admin, &format!("/v3/OS-TRUST/trusts/{id}")).await.expect(404);
    // What was had by it stays good.
    w.cloud.validate(&w.admin, &last).await.expect(200);
    w.make(json!({"remaining_uses": 0})).await.expect(400);
}

#[tokio::test]
async fn tokens_end_with_the_trust() {
    let w = world().await;
    let end = base::time::micros_z(base::time::now() + 60_000_000);
    let made = w.make(json!({"expires_at": end})).await.expect(201);
    assert_eq!(made.body["trust"]["expires_at"], end);
    let answer = w.enter("bob", &made.id("trust")).await.expect(201);
    assert_eq!(answer.body["token"]["expires_at"], end);
    w.make(json!({"expires_at": "bad.123Z"})).await.expect(400);
    w.make(json!({"expires_at": "2001-01-01T00:00:00.000000Z"})).await.expect(400);
    // The same once more is a conflict.
    w.make(json!({"expires_at": end})).await.expect(409);
}

#[tokio::test]
async fn what_one_must_be() {
    let w = world().await;
    for (more, status) in [
        (json!({"roles": []}), 403),
        (json!({"roles": [{"name": "admin"}]}), 404),
        (json!({"roles": [{"name": "nothing"}]}), 404),
        (json!({"roles": [{"name": "member", "id": "x"}]}), 400),
        (json!({"roles": ["member"]}), 400),
        (json!({"impersonation": "yes"}), 400),
        (json!({"impersonation": null}), 400),
        (json!({"project_id": "nowhere"}), 404),
        (json!({"trustee_user_id": "nobody"}), 404),
        (json!({"trustor_user_id": w.bob}), 403),
        (json!({"allow_redelegation": true, "redelegation_count": 4}), 403),
        (json!({"allow_redelegation": true, "remaining_uses": 1}), 400),
    ] {
        let text = more.to_string();
        let answer = w.make(more).await;
        assert_eq!(answer.status.as_u16(), status, "{text}: {}", answer.body);
    }
    // Nobody gives away somebody else's: an admin neither.
    w.cloud.post(&w.admin, "/v3/OS-TRUST/trusts", w.body(json!({}))).await.expect(403);
    w.cloud.post(&w.admin, "/v3/OS-TRUST/trusts", json!({"trust": {}})).await.expect(400);
}

#[tokio::test]
async fn who_sees_it() {
    let w = world().await;
    let (_, _, carol) = w.cloud.member(&w.admin, "carol", "member").await;
    let id = w.make(json!({})).await.expect(201).id("trust");
    let bob = w.cloud.login("bob", "pw", None).await.expect(201).token();
    let one = format!("/v3/OS-TRUST/trusts/{id}");
    let role = w.cloud.role(&w.admin, "member").await;
    for path in [one.clone(), format!("{one}/roles"), format!("{one}/roles/{role}")] {
        for token in [&w.alice.2, &bob, &w.admin] {
            w.cloud.get(token, &path).await.expect(200);
        }
        w.cloud.get(&carol, &path).await.expect(403);
    }
    assert_eq!(w.cloud.get(&bob, &format!("{one}/roles")).await.names("roles"), ["member"]);
    let reader = w.cloud.role(&w.admin, "reader").await;
    w.cloud.get(&bob, &format!("{one}/roles/{reader}")).await.expect(404);
    let list = async |token: &str, query: &str| {
        let path = format!("/v3/OS-TRUST/trusts{query}");
        let answer = w.cloud.get(token, &path).await;
        (answer.status.as_u16(), answer.body["trusts"].as_array().map_or(0, Vec::len))
    };
    let (trustor, trustee) =
        (format!("?trustor_user_id={}", w.alice.0), format!("?trustee_user_id={}", w.bob));
    assert_eq!(list(&w.alice.2, &trustor).await, (200, 1));
    assert_eq!(list(&bob, &trustee).await, (200, 1));
    assert_eq!(list(&bob, &trustor).await, (403, 0));
    assert_eq!(list(&carol, "").await, (403, 0));
    assert_eq!(list(&w.admin, "").await, (200, 1));
    let listed = w.cloud.get(&w.admin, "/v3/OS-TRUST/trusts").await;
    assert!(listed.body["trusts"][0].get("roles").is_none());
    let on_system = w.cloud.login("admin", crate::cloud::PASSWORD, Some(system())).await.expect(201).token();
    assert_eq!(list(&on_system, "").await, (200, 1));
    // The trustee cannot take it back; an admin can.
    w.cloud.delete(&bob, &one).await.expect(403);
    w.cloud.delete(&w.admin, &one).await.expect(204);
    w.cloud.delete(&w.admin, &one).await.expect(404);
}

#[tokio::test]
async fn trusts_are_handed_on() {
    let w = world().await;
    let carol = w.cloud.make_user(&w.admin, "carol").await;
    let first = w.make(json!({"allow_redelegation": true})).await.expect(201);
    assert_eq!(first.body["trust"]["redelegation_count"], 3);
    let bob = w.enter("bob", &first.id("trust")).await.expect(201).token();
    let handed = |trustor: &str, more: Value| {
        let mut body = w.body(json!({"trustor_user_id": trustor, "trustee_user_id": carol}));
        for (key, value) in more.as_object().unwrap() {
            body["trust"][key] = value.clone();
        }
        body
    };
    let path = "/v3/OS-TRUST/trusts";
    w.cloud.post(&bob, path, handed(&w.bob, json!({"impersonation": true}))).await.expect(403);
    w.cloud.post(&bob, path, handed(&w.bob, json!({"roles": [{"name": "reader"}]}))).await.expect(403);
    let second = w.cloud.post(&bob, path, handed(&w.bob, json!({"allow_redelegation": true}))).await;
    let second = second.expect(201);
    assert_eq!(second.body["trust"]["redelegation_count"], 2);
    assert_eq!(second.body["trust"]["redelegated_trust_id"], first.id("trust").as_str());
    let token = w.enter("carol", &second.id("trust")).await.expect(201);
    assert_eq!(roles(&token), ["member", "reader"]);
    // Bob is a link of the chain.
    let user = format!("/v3/users/{}", w.bob);
    w.cloud.patch(&w.admin, &user, json!({"user": {"enabled": false}})).await.expect(200);
    w.cloud.validate(&w.admin, &token.token()).await.expect(404);
    w.cloud.patch(&w.admin, &user, json!({"user": {"enabled": true}})).await.expect(200);
    w.cloud.validate(&w.admin, &token.token()).await.expect(200);
    // With the first goes all that came from it.
    w.cloud.delete(&w.admin, &format!("{path}/{}", first.id("trust"))).await.expect(204);
    w.cloud.get(&w.admin, &format!("{path}/{}", second.id("trust"))).await.expect(404);
    w.cloud.validate(&w.admin, &token.token()).await.expect(404);
}

#[tokio::test]
async fn an_application_credential_does_not_lead_into_trusts() {
    let w = world().await;
    let path = format!("/v3/users/{}/application_credentials", w.alice.0);
    let body = json!({"application_credential": {"name": "ci", "unrestricted": true}});
    let made = w.cloud.post(&w.alice.2, &path, body).await.expect(201);
    let credential = &made.body["application_credential"];
    let identity = json!({
        "methods": ["application_credential"],
        "application_credential": {"id": credential["id"], "secret": credential["secret"]},
    });
    let token = w.cloud.authenticate(identity, None).await.expect(201).token();
    w.cloud.post(&token, "/v3/OS-TRUST/trusts", w.body(json!({}))).await.expect(403);
    let mine = format!("/v3/OS-TRUST/trusts?trustor_user_id={}", w.alice.0);
    w.cloud.get(&token, &mine).await.expect(403);
    let mut both = by_password("alice", "pw");
    both["methods"] = json!(["password", "token"]);
    both["token"] = json!({"id": token});
    let mixed = w.cloud.authenticate(both, None).await.expect(201).token();
    w.cloud.get(&mixed, &mine).await.expect(403);
}
