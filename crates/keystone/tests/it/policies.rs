//! Who may do what: each kind of caller against each kind of call.

use http::Method;
use serde_json::{Value, json};

use crate::cloud::{Cloud, system};

struct World {
    cloud: Cloud,
    admin: String,
    /// (name, token)
    callers: Vec<(&'static str, String)>,
    domain: String,
    other_user: String,
    project: String,
    own_project: String,
    own_user: String,
}

async fn world() -> World {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let domain =
        cloud.post(&admin, "/v3/domains", json!({"domain": {"name": "acme"}})).await.expect(201).id("domain");
    let body = json!({"user": {"name": "someone", "domain_id": domain}});
    let other_user = cloud.post(&admin, "/v3/users", body).await.expect(201).id("user");
    let body = json!({"project": {"name": "inner", "domain_id": domain}});
    let project = cloud.post(&admin, "/v3/projects", body).await.expect(201).id("project");
    let mut callers = vec![("admin", admin.clone())];
    for (name, place, scope) in [
        ("system reader", "system".to_owned(), system()),
        ("domain manager", format!("domains/{domain}"), json!({"domain": {"id": domain}})),
        ("domain reader", format!("domains/{domain}"), json!({"domain": {"id": domain}})),
    ] {
        let user = cloud.make_user(&admin, name).await;
        cloud.grant(&admin, &place, &user, name.split(' ').next_back().unwrap()).await;
        callers.push((name, cloud.login(name, "pw", Some(scope)).await.expect(201).token()));
    }
    let (own_user, own_project, member) = cloud.member(&admin, "member", "member").await;
    callers.push(("member", member));
    let (_, _, manager) = cloud.member(&admin, "project manager", "manager").await;
    callers.push(("project manager", manager));
    World { cloud, admin, callers, domain, other_user, project, own_project, own_user }
}

impl World {
    /// Asserts who gets past the policy: any other answer than its refusal counts.
    async fn allowed(&self, method: Method, path: &str, body: Option<Value>, wanted: &[&str]) {
        let mut passed = Vec::new();
        // The admin last: what is deleted is gone for the others.
        for (name, token) in self.callers.iter().rev() {
            let headers = [("x-auth-token", token.as_str())];
            let answer = self.cloud.request(method.clone(), path, &headers, body.clone()).await;
            assert!(answer.status.as_u16() < 500, "{name} {method} {path}: {}", answer.body);
            // A state may forbid it as well; a policy gives its name.
            let refused = answer.status == 403 && answer.message().contains("requested action: identity:");
            if !refused {
                passed.push(*name);
            }
        }
        passed.reverse();
        assert_eq!(passed, wanted, "{method} {path}");
    }
}

const ALL: &[&str] =
    &["admin", "system reader", "domain manager", "domain reader", "member", "project manager"];
const READERS: &[&str] = &["admin", "system reader", "domain manager", "domain reader"];
const SYSTEM_READERS: &[&str] = &["admin", "system reader"];
const MANAGERS: &[&str] = &["admin", "domain manager"];
const ADMIN: &[&str] = &["admin"];

#[tokio::test]
async fn readers_read() {
    let w = world().await;
    let (domain, user, project) = (&w.domain, &w.other_user, &w.project);
    for (path, wanted) in [
        ("/v3/users".to_owned(), READERS),
        (format!("/v3/users/{user}"), READERS),
        (format!("/v3/users/{user}/projects"), READERS),
        ("/v3/projects".into(), READERS),
        (format!("/v3/projects/{project}"), READERS),
        (format!("/v3/projects/{project}/tags"), READERS),
        ("/v3/groups".into(), READERS),
        ("/v3/domains".into(), READERS),
        (format!("/v3/domains/{domain}"), READERS),
        (format!("/v3/projects/{project}/users/{user}/roles"), READERS),
        (format!("/v3/domains/{domain}/users/{user}/roles"), READERS),
        (format!("/v3/role_assignments?scope.project.id={project}&include_subtree"), READERS),
        (format!("/v3/system/users/{user}/roles"), SYSTEM_READERS),
        ("/v3/services".into(), SYSTEM_READERS),
        ("/v3/endpoints".into(), SYSTEM_READERS),
        ("/v3/role_inferences".into(), SYSTEM_READERS),
        (format!("/v3/users/{user}/application_credentials"), SYSTEM_READERS),
        ("/v3/roles".into(), &["admin", "system reader", "domain manager"]),
        ("/v3/regions".into(), ALL),
        ("/v3/credentials".into(), ALL),
        ("/v3/auth/projects".into(), ALL),
        (format!("/v3/users/{}", w.own_user), &["admin", "system reader", "member"]),
        (format!("/v3/projects/{}", w.own_project), &["admin", "system reader", "member"]),
        ("/v3/domains/default".into(), &["admin", "system reader", "member", "project manager"]),
    ] {
        w.allowed(Method::GET, &path, None, wanted).await;
    }
}

#[tokio::test]
async fn managers_manage_their_domain_and_no_other() {
    let w = world().await;
    let (domain, user, project) = (&w.domain, &w.other_user, &w.project);
    for noun in ["user", "project", "group"] {
        let inside = json!({noun: {"name": "new", "domain_id": domain}});
        w.allowed(Method::POST, &format!("/v3/{noun}s"), Some(inside), MANAGERS).await;
        let outside = json!({noun: {"name": "new", "domain_id": "default"}});
        w.allowed(Method::POST, &format!("/v3/{noun}s"), Some(outside), ADMIN).await;
    }
    let change = |noun: &str| Some(json!({noun: {"description": "x"}}));
    w.allowed(Method::PATCH, &format!("/v3/users/{user}"), change("user"), MANAGERS).await;
    w.allowed(Method::PATCH, &format!("/v3/projects/{project}"), change("project"), MANAGERS).await;
    w.allowed(Method::PUT, &format!("/v3/projects/{project}/tags/x"), None, MANAGERS).await;
    w.allowed(Method::PATCH, &format!("/v3/users/{}", w.own_user), change("user"), ADMIN).await;
    // A domain is not its manager's, whichever name it goes by.
    w.allowed(Method::PATCH, &format!("/v3/domains/{domain}"), change("domain"), ADMIN).await;
    w.allowed(Method::PATCH, &format!("/v3/projects/{domain}"), change("project"), ADMIN).await;
    let victim = w.cloud.make_user(&w.admin, "victim").await;
    w.allowed(Method::DELETE, &format!("/v3/users/{victim}"), None, ADMIN).await;
}

#[tokio::test]
async fn managers_give_no_more_than_they_have() {
    let w = world().await;
    let (domain, user, project) = (&w.domain, &w.other_user, &w.project);
    for (role, wanted) in [("reader", MANAGERS), ("manager", MANAGERS), ("admin", ADMIN), ("service", ADMIN)]
    {
        let role = w.cloud.role(&w.admin, role).await;
        for place in [format!("projects/{project}"), format!("domains/{domain}")] {
            w.allowed(Method::PUT, &format!("/v3/{place}/users/{user}/roles/{role}"), None, wanted).await;
        }
        w.allowed(Method::PUT, &format!("/v3/system/users/{user}/roles/{role}"), None, ADMIN).await;
        // A user or a project of another domain.
        let own = &w.own_user;
        w.allowed(Method::PUT, &format!("/v3/projects/{project}/users/{own}/roles/{role}"), None, ADMIN)
            .await;
        let elsewhere = &w.own_project;
        w.allowed(Method::PUT, &format!("/v3/projects/{elsewhere}/users/{user}/roles/{role}"), None, ADMIN)
            .await;
    }
}

#[tokio::test]
async fn the_cloud_is_the_admins() {
    let w = world().await;
    let body = |noun: &str| Some(json!({noun: {"name": "new", "type": "new", "id": "new"}}));
    for noun in ["domain", "role", "service", "region"] {
        w.allowed(Method::POST, &format!("/v3/{noun}s"), body(noun), ADMIN).await;
    }
    let role = w.cloud.role(&w.admin, "service").await;
    w.allowed(
        Method::PATCH,
        &format!("/v3/roles/{role}"),
        Some(json!({"role": {"description": "x"}})),
        ADMIN,
    )
    .await;
    w.allowed(Method::DELETE, &format!("/v3/roles/{role}"), None, ADMIN).await;
    w.allowed(Method::DELETE, &format!("/v3/domains/{}", w.domain), None, ADMIN).await;
}

#[tokio::test]
async fn lists_of_a_domains_reader_end_at_its_border() {
    let w = world().await;
    let reader = &w.callers.iter().find(|(name, _)| *name == "domain reader").unwrap().1;
    assert_eq!(w.cloud.get(reader, "/v3/users").await.expect(200).names("users"), ["someone"]);
    assert_eq!(w.cloud.get(reader, "/v3/users?domain_id=default").await.expect(200).names("users"), [""; 0]);
    assert_eq!(w.cloud.get(reader, "/v3/projects").await.expect(200).names("projects"), ["inner"]);
    assert_eq!(w.cloud.get(reader, "/v3/domains").await.expect(200).names("domains"), ["acme"]);
    let list = w.cloud.get(reader, "/v3/role_assignments").await.expect(200);
    for entry in list.body["role_assignments"].as_array().unwrap() {
        assert_eq!(entry["scope"]["domain"]["id"], w.domain.as_str(), "{entry}");
    }
    let elsewhere = format!("/v3/role_assignments?scope.project.id={}", w.own_project);
    let list = w.cloud.get(reader, &elsewhere).await.expect(200);
    assert_eq!(list.body["role_assignments"], json!([]));
    w.cloud.get(reader, &format!("{elsewhere}&include_subtree")).await.expect(403);
}

#[tokio::test]
async fn without_a_token_nothing_goes() {
    let w = world().await;
    for path in ["/v3/users", "/v3/projects", "/v3/auth/projects", "/v3/regions", "/v3/credentials"] {
        w.cloud.request(Method::GET, path, &[], None).await.expect(401);
        w.cloud.get("nonsense", path).await.expect(401);
    }
    w.cloud.get(&w.admin, "/v3/nothing").await.expect(404);
    w.cloud.request(Method::PUT, "/v3/users", &[("x-auth-token", &w.admin)], None).await.expect(405);
}
