//! Domains and projects.

use serde_json::{Value, json};

use crate::cloud::{Cloud, PASSWORD};

async fn nested(cloud: &Cloud, admin: &str) -> (String, String, String) {
    let make = async |name: &str, parent: Option<&str>| {
        let body = json!({"project": {"name": name, "parent_id": parent}});
        cloud.post(admin, "/v3/projects", body).await.expect(201).id("project")
    };
    let top = make("top", None).await;
    let middle = make("middle", Some(&top)).await;
    let leaf = make("leaf", Some(&middle)).await;
    (top, middle, leaf)
}

#[tokio::test]
async fn a_project_from_birth_to_death() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let body =
        json!({"project": {"name": "web", "description": "shop", "tags": ["a", "b"], "colour": "red"}});
    let made = cloud.post(&admin, "/v3/projects", body.clone()).await.expect(201);
    let id = made.id("project");
    let project = &made.body["project"];
    assert_eq!(project["domain_id"], "default");
    assert_eq!(project["parent_id"], "default");
    assert_eq!(project["enabled"], true);
    assert_eq!(project["is_domain"], false);
    assert_eq!(project["tags"], json!(["a", "b"]));
    assert_eq!(project["options"], json!({}));
    assert_eq!(project["colour"], "red");
    assert_eq!(project["links"]["self"], format!("http://cloud/identity/v3/projects/{id}"));
    let again = cloud.post(&admin, "/v3/projects", body).await.expect(409);
    assert!(again.message().contains("two projects with the same name"), "{}", again.message());
    let path = format!("/v3/projects/{id}");
    let change = json!({"project": {"name": "shop", "colour": "blue"}});
    let changed = cloud.patch(&admin, &path, change).await.expect(200);
    assert_eq!(
        (&changed.body["project"]["name"], &changed.body["project"]["colour"]),
        (&json!("shop"), &json!("blue"))
    );
    assert_eq!(changed.body["project"]["description"], "shop");
    assert_eq!(cloud.get(&admin, &path).await.expect(200).body, changed.body);
    cloud.head(&admin, &path).await.expect(200);
    cloud.delete(&admin, &path).await.expect(204);
    let gone = cloud.get(&admin, &path).await.expect(404);
    assert_eq!(gone.message(), format!("Could not find project: {id}."));
    cloud.delete(&admin, &path).await.expect(404);
}

#[tokio::test]
async fn what_a_project_must_be() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let domain =
        cloud.post(&admin, "/v3/domains", json!({"domain": {"name": "d"}})).await.expect(201).id("domain");
    let refuse = async |project: Value, status: u16| {
        cloud.post(&admin, "/v3/projects", json!({"project": project})).await.expect(status);
    };
    refuse(json!({}), 400).await;
    refuse(json!({"name": ""}), 400).await;
    refuse(json!({"name": " "}), 400).await;
    refuse(json!({"name": "x".repeat(65)}), 400).await;
    refuse(json!({"name": 1}), 400).await;
    refuse(json!({"name": "x", "enabled": "yes"}), 400).await;
    refuse(json!({"name": "x", "tags": ["a/b"]}), 400).await;
    refuse(json!({"name": "x", "tags": ["a", "a"]}), 400).await;
    refuse(json!({"name": "x", "parent_id": "nowhere"}), 400).await;
    refuse(json!({"name": "x", "domain_id": "nowhere"}), 400).await;
    refuse(json!({"name": "x", "domain_id": domain, "parent_id": "default"}), 400).await;
    refuse(json!({"name": "x", "is_domain": true, "domain_id": "default"}), 400).await;
    cloud.post(&admin, "/v3/projects", json!([])).await.expect(400);
    cloud.post(&admin, "/v3/projects", json!({"projekt": {}})).await.expect(400);
    let id = cloud.make_project(&admin, "web").await;
    let change = async |project: Value, status: u16| {
        cloud.patch(&admin, &format!("/v3/projects/{id}"), json!({"project": project})).await.expect(status);
    };
    change(json!({}), 400).await;
    change(json!({"id": "other"}), 400).await;
    change(json!({"domain_id": domain}), 400).await;
    change(json!({"is_domain": true}), 400).await;
    change(json!({"parent_id": domain}), 403).await;
    change(json!({"name": "admin"}), 409).await;
}

#[tokio::test]
async fn the_tree_keeps_its_shape() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (top, middle, leaf) = nested(&cloud, &admin).await;
    cloud.delete(&admin, &format!("/v3/projects/{middle}")).await.expect(403);
    let enable = async |id: &str, enabled: bool| {
        cloud.patch(&admin, &format!("/v3/projects/{id}"), json!({"project": {"enabled": enabled}})).await
    };
    enable(&top, false).await.expect(403);
    for id in [&leaf, &middle, &top] {
        enable(id, false).await.expect(200);
    }
    enable(&leaf, true).await.expect(403);
    let below = json!({"project": {"name": "late", "parent_id": leaf}});
    cloud.post(&admin, "/v3/projects", below).await.expect(403);
    for id in [&top, &middle, &leaf] {
        enable(id, true).await.expect(200);
    }
    let mut parent = leaf;
    for depth in ["four", "five"] {
        let body = json!({"project": {"name": depth, "parent_id": parent}});
        parent = cloud.post(&admin, "/v3/projects", body).await.expect(201).id("project");
    }
    let body = json!({"project": {"name": "six", "parent_id": parent}});
    cloud.post(&admin, "/v3/projects", body).await.expect(403);
}

#[tokio::test]
async fn parents_and_subtree_are_shown_when_asked_for() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (top, middle, leaf) = nested(&cloud, &admin).await;
    let get = async |query: &str| cloud.get(&admin, &format!("/v3/projects/{middle}?{query}")).await;
    let project = |answer: crate::cloud::Answer| answer.expect(200).body["project"].clone();
    let ids = project(get("parents_as_ids").await);
    assert_eq!(ids["parents"], json!({top.as_str(): {"default": null}}));
    let ids = project(get("subtree_as_ids").await);
    assert_eq!(ids["subtree"], json!({leaf.as_str(): null}));
    let lists = project(get("parents_as_list&subtree_as_list").await);
    assert_eq!(lists["parents"][0]["project"]["id"], top.as_str());
    assert_eq!(lists["subtree"][0]["project"]["id"], leaf.as_str());
    get("parents_as_list&parents_as_ids").await.expect(400);
}

#[tokio::test]
async fn tags_of_a_project() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let id = cloud.make_project(&admin, "web").await;
    let other = cloud.make_project(&admin, "other").await;
    let path = format!("/v3/projects/{id}/tags");
    cloud.put(&admin, &format!("{path}/blue")).await.expect(201);
    cloud.put(&admin, &format!("{path}/red")).await.expect(201);
    cloud.put(&admin, &format!("/v3/projects/{other}/tags/red")).await.expect(201);
    cloud.get(&admin, &format!("{path}/red")).await.expect(204);
    cloud.get(&admin, &format!("{path}/green")).await.expect(404);
    assert_eq!(cloud.get(&admin, &path).await.expect(200).body["tags"], json!(["blue", "red"]));
    let found = async |query: &str| {
        let answer = cloud.get(&admin, &format!("/v3/projects?{query}")).await.expect(200);
        answer.names("projects").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found("tags=blue,red").await, ["web"]);
    assert_eq!(found("tags-any=blue,red").await, ["other", "web"]);
    assert_eq!(found("not-tags-any=blue").await, ["admin", "other", "service"]);
    cloud.delete(&admin, &format!("{path}/blue")).await.expect(204);
    cloud.delete(&admin, &format!("{path}/blue")).await.expect(404);
    let headers = [("x-auth-token", admin.as_str())];
    let put = async |body: Value| cloud.request(http::Method::PUT, &path, &headers, Some(body)).await;
    put(json!({"tags": ["x", "y"]})).await.expect(200);
    put(json!({"tags": ["x", "x"]})).await.expect(400);
    put(json!({"tags": vec!["t"; 81]})).await.expect(400);
    put(json!({})).await.expect(400);
    cloud.delete(&admin, &path).await.expect(204);
    assert_eq!(cloud.get(&admin, &path).await.expect(200).body["tags"], json!([]));
}

#[tokio::test]
async fn a_domain_takes_everything_with_it() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let body = json!({"domain": {"name": "acme", "description": "x"}});
    let made = cloud.post(&admin, "/v3/domains", body.clone()).await.expect(201);
    assert_eq!(made.body["domain"]["enabled"], true);
    cloud.post(&admin, "/v3/domains", body).await.expect(409);
    let domain = made.id("domain");
    let inside = async |noun: &str| {
        let body = json!({noun: {"name": "inner", "domain_id": domain}});
        cloud.post(&admin, &format!("/v3/{noun}s"), body).await.expect(201).id(noun)
    };
    let (user, project, group, role) =
        (inside("user").await, inside("project").await, inside("group").await, inside("role").await);
    let path = format!("/v3/domains/{domain}");
    cloud.delete(&admin, &path).await.expect(403);
    cloud.patch(&admin, &path, json!({"domain": {"enabled": false}})).await.expect(200);
    cloud.delete(&admin, &path).await.expect(204);
    for gone in [
        path,
        format!("/v3/users/{user}"),
        format!("/v3/projects/{project}"),
        format!("/v3/groups/{group}"),
        format!("/v3/roles/{role}"),
    ] {
        cloud.get(&admin, &gone).await.expect(404);
    }
    let fixed = "0123456789abcdef0123456789abcdef";
    let body = json!({"domain": {"name": "fixed", "explicit_domain_id": fixed}});
    assert_eq!(cloud.post(&admin, "/v3/domains", body).await.expect(201).id("domain"), fixed);
    let body = json!({"domain": {"name": "odd", "explicit_domain_id": "odd"}});
    cloud.post(&admin, "/v3/domains", body).await.expect(400);
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    for name in ["p1", "p2", "p3"] {
        cloud.make_project(&admin, name).await;
    }
    let names = async |query: &str| {
        let answer = cloud.get(&admin, &format!("/v3/projects?{query}")).await.expect(200);
        answer.names("projects").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["admin", "p1", "p2", "p3", "service"]);
    assert_eq!(names("name=p2").await, ["p2"]);
    assert_eq!(names("name__startswith=p").await, ["p1", "p2", "p3"]);
    assert_eq!(names("name__startswith=p&sort_key=name&sort_dir=desc").await, ["p3", "p2", "p1"]);
    assert_eq!(names("domain_id=nowhere").await, [""; 0]);
    assert_eq!(names("enabled=false").await, [""; 0]);
    let first = cloud.get(&admin, "/v3/projects?limit=2").await.expect(200);
    assert_eq!(first.names("projects"), ["admin", "p1"]);
    let next = first.body["links"]["next"].as_str().unwrap().strip_prefix("http://cloud").unwrap().to_owned();
    assert_eq!(cloud.get(&admin, &next).await.expect(200).names("projects"), ["p2", "p3"]);
    cloud.get(&admin, "/v3/projects?marker=nowhere").await.expect(404);
    let list = cloud.get(&admin, "/v3/projects?name=p2").await.expect(200);
    assert_eq!(list.body["links"]["previous"], Value::Null);
    assert_eq!(list.body["links"]["next"], Value::Null);
}

#[tokio::test]
async fn a_project_may_act_as_a_domain() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let body = json!({"project": {"name": "acting", "is_domain": true}});
    let made = cloud.post(&admin, "/v3/projects", body).await.expect(201);
    assert_eq!(made.body["project"]["domain_id"], Value::Null);
    assert_eq!(made.body["project"]["parent_id"], Value::Null);
    cloud.get(&admin, &format!("/v3/domains/{}", made.id("project"))).await.expect(200);
    assert_eq!(
        cloud.get(&admin, "/v3/projects?is_domain=true").await.names("projects"),
        ["Default", "acting"]
    );
    // It is no project to work in.
    let scope = json!({"project": {"id": made.id("project")}});
    cloud.login("admin", PASSWORD, Some(scope)).await.expect(401);
}
