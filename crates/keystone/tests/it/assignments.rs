//! Roles, implications, grants and the lists of assignments.

use serde_json::{Value, json};

use crate::cloud::{Cloud, system};

#[tokio::test]
async fn roles_and_implications() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let make = async |name: &str| {
        cloud.post(&admin, "/v3/roles", json!({"role": {"name": name}})).await.expect(201).id("role")
    };
    let (boss, worker) = (make("boss").await, make("worker").await);
    cloud.post(&admin, "/v3/roles", json!({"role": {"name": "boss"}})).await.expect(409);
    cloud.post(&admin, "/v3/roles", json!({"role": {}})).await.expect(400);
    let path = format!("/v3/roles/{boss}/implies/{worker}");
    cloud.get(&admin, &path).await.expect(404);
    let made = cloud.put(&admin, &path).await.expect(201);
    assert_eq!(made.body["role_inference"]["prior_role"]["name"], "boss");
    assert_eq!(made.body["role_inference"]["implies"]["name"], "worker");
    cloud.put(&admin, &path).await.expect(201);
    cloud.head(&admin, &path).await.expect(204);
    let list = cloud.get(&admin, &format!("/v3/roles/{boss}/implies")).await.expect(200);
    assert_eq!(list.body["role_inference"]["implies"][0]["name"], "worker");
    let all = cloud.get(&admin, "/v3/role_inferences").await.expect(200);
    assert_eq!(all.body["role_inferences"].as_array().unwrap().len(), 4);
    cloud.put(&admin, &format!("/v3/roles/{worker}/implies/{boss}")).await.expect(409);
    let chief = cloud.role(&admin, "admin").await;
    cloud.put(&admin, &format!("/v3/roles/{boss}/implies/{chief}")).await.expect(403);
    let (user, project_id, token) = cloud.member(&admin, "alice", "boss").await;
    let roles = |body: &Value| -> Vec<String> {
        body["token"]["roles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(roles(&cloud.validate(&admin, &token).await.body), ["boss", "worker"]);
    cloud.delete(&admin, &path).await.expect(204);
    cloud.delete(&admin, &path).await.expect(404);
    assert_eq!(roles(&cloud.validate(&admin, &token).await.body), ["boss"]);
    let renamed = cloud.patch(&admin, &format!("/v3/roles/{boss}"), json!({"role": {"name": "chef"}})).await;
    assert_eq!(renamed.expect(200).body["role"]["name"], "chef");
    cloud.delete(&admin, &format!("/v3/roles/{boss}")).await.expect(204);
    cloud.validate(&admin, &token).await.expect(404);
    let left = cloud.get(&admin, &format!("/v3/projects/{project_id}/users/{user}/roles")).await.expect(200);
    assert_eq!(left.body["roles"], json!([]));
}

#[tokio::test]
async fn a_role_of_a_domain_stays_in_it() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let domain =
        cloud.post(&admin, "/v3/domains", json!({"domain": {"name": "d"}})).await.expect(201).id("domain");
    let body = json!({"role": {"name": "local", "domain_id": domain}});
    let role = cloud.post(&admin, "/v3/roles", body).await.expect(201).id("role");
    let user = cloud.make_user(&admin, "alice").await;
    let elsewhere = cloud.make_project(&admin, "elsewhere").await;
    cloud.put(&admin, &format!("/v3/projects/{elsewhere}/users/{user}/roles/{role}")).await.expect(403);
    let body = json!({"project": {"name": "p", "domain_id": domain}});
    let inside = cloud.post(&admin, "/v3/projects", body).await.expect(201).id("project");
    cloud.put(&admin, &format!("/v3/projects/{inside}/users/{user}/roles/{role}")).await.expect(204);
    // By itself it gives nothing; through what it implies it does.
    let scope = json!({"project": {"id": inside}});
    cloud.login("alice", "pw", Some(scope.clone())).await.expect(401);
    let reader = cloud.role(&admin, "reader").await;
    cloud.put(&admin, &format!("/v3/roles/{role}/implies/{reader}")).await.expect(201);
    let token = cloud.login("alice", "pw", Some(scope)).await.expect(201);
    assert_eq!(token.body["token"]["roles"], json!([{"id": reader, "name": "reader"}]));
    assert_eq!(cloud.get(&admin, &format!("/v3/roles?domain_id={domain}")).await.names("roles"), ["local"]);
    assert!(!cloud.get(&admin, "/v3/roles").await.names("roles").contains(&"local"));
}

#[tokio::test]
async fn grants_everywhere() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let user = cloud.make_user(&admin, "alice").await;
    let group =
        cloud.post(&admin, "/v3/groups", json!({"group": {"name": "g"}})).await.expect(201).id("group");
    let project_id = cloud.make_project(&admin, "web").await;
    let role = cloud.role(&admin, "reader").await;
    for place in [format!("projects/{project_id}"), "domains/default".into(), "system".into()] {
        for actor in [format!("users/{user}"), format!("groups/{group}")] {
            let list = format!("/v3/{place}/{actor}/roles");
            let one = format!("{list}/{role}");
            cloud.head(&admin, &one).await.expect(404);
            cloud.delete(&admin, &one).await.expect(404);
            cloud.put(&admin, &one).await.expect(204);
            cloud.put(&admin, &one).await.expect(204);
            cloud.head(&admin, &one).await.expect(204);
            assert_eq!(cloud.get(&admin, &list).await.expect(200).names("roles"), ["reader"]);
            cloud.put(&admin, &format!("{list}/nothing")).await.expect(404);
            cloud.delete(&admin, &one).await.expect(204);
            assert_eq!(cloud.get(&admin, &list).await.expect(200).names("roles"), [""; 0]);
        }
        cloud.put(&admin, &format!("/v3/{place}/users/nobody/roles/{role}")).await.expect(404);
    }
    cloud.put(&admin, &format!("/v3/projects/nowhere/users/{user}/roles/{role}")).await.expect(404);
    cloud.put(&admin, &format!("/v3/domains/{project_id}/users/{user}/roles/{role}")).await.expect(404);
}

#[tokio::test]
async fn inherited_roles_hold_below_and_not_here() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let user = cloud.make_user(&admin, "alice").await;
    let top = cloud.make_project(&admin, "top").await;
    let body = json!({"project": {"name": "leaf", "parent_id": top}});
    let leaf = cloud.post(&admin, "/v3/projects", body).await.expect(201).id("project");
    let role = cloud.role(&admin, "member").await;
    let grant = format!("/v3/OS-INHERIT/projects/{top}/users/{user}/roles/{role}/inherited_to_projects");
    cloud.put(&admin, &grant).await.expect(204);
    cloud.head(&admin, &grant).await.expect(204);
    let login = async |id: &str| cloud.login("alice", "pw", Some(json!({"project": {"id": id}}))).await;
    login(&top).await.expect(401);
    let token = login(&leaf).await.expect(201).token();
    assert_eq!(cloud.get(&token, "/v3/auth/projects").await.names("projects"), ["leaf"]);
    cloud.delete(&admin, &grant).await.expect(204);
    cloud.get(&token, "/v3/auth/projects").await.expect(401);
    let by_domain = format!("/v3/OS-INHERIT/domains/default/users/{user}/roles/{role}/inherited_to_projects");
    cloud.put(&admin, &by_domain).await.expect(204);
    let list = format!("/v3/OS-INHERIT/domains/default/users/{user}/roles/inherited_to_projects");
    assert_eq!(cloud.get(&admin, &list).await.expect(200).names("roles"), ["member"]);
    login(&top).await.expect(201);
    login(&leaf).await.expect(201);
    cloud.login("alice", "pw", Some(json!({"domain": {"id": "default"}}))).await.expect(401);
}

#[tokio::test]
async fn the_list_of_assignments() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin().await;
    let (user, project_id, _) = cloud.member(&admin, "alice", "member").await;
    let list = async |query: &str| {
        let answer = cloud.get(&admin, &format!("/v3/role_assignments?{query}")).await.expect(200);
        answer.body["role_assignments"].as_array().unwrap().clone()
    };
    let plain = list(&format!("user.id={user}")).await;
    assert_eq!(plain.len(), 1);
    assert_eq!(plain[0]["user"], json!({"id": user}));
    assert_eq!(plain[0]["scope"], json!({"project": {"id": project_id}}));
    let link = plain[0]["links"]["assignment"].as_str().unwrap();
    assert!(
        link.starts_with(&format!("http://cloud/identity/v3/projects/{project_id}/users/{user}/roles/")),
        "{link}"
    );
    assert_eq!(list(&format!("user.id={user}&effective")).await.len(), 2);
    let named = list(&format!("scope.project.id={project_id}&include_names=True")).await;
    assert_eq!(named[0]["user"]["name"], "alice");
    assert_eq!(named[0]["user"]["domain"], json!({"id": "default", "name": "Default"}));
    assert_eq!(named[0]["role"]["name"], "member");
    assert_eq!(named[0]["scope"]["project"]["name"], "alice-project");
    assert_eq!(list("scope.system=all").await.len(), 1);
    cloud.get(&admin, "/v3/role_assignments?user.id=a&group.id=b").await.expect(400);
    let on_system = cloud.login("admin", crate::cloud::PASSWORD, Some(system())).await.expect(201).token();
    cloud.get(&on_system, "/v3/role_assignments").await.expect(200);
}
