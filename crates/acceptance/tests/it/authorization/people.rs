//! A client for each persona of OpenStack's default roles.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Cloud, text};

use crate::fixture::Fixture;

pub struct Persona {
    pub name: &'static str,
    pub client: Client,
}

/// Least first: what a stronger one changes is put right again, but the less the better.
const PERSONAS: [(&str, Place, &str); 15] = [
    ("unscoped", Place::None, ""),
    ("reader of another project", Place::Other, "reader"),
    ("member of another project", Place::Other, "member"),
    ("manager of another project", Place::Other, "manager"),
    ("service (role) of another project", Place::Other, "service"),
    ("reader", Place::Own, "reader"),
    ("member", Place::Own, "member"),
    ("manager", Place::Own, "manager"),
    ("reader of the domain", Place::Domain, "reader"),
    ("manager of the domain", Place::Domain, "manager"),
    ("admin of the domain", Place::Domain, "admin"),
    ("reader of the system", Place::System, "reader"),
    ("member of the system", Place::System, "member"),
    ("admin of the system", Place::System, "admin"),
    ("admin of another project", Place::Other, "admin"),
];

#[derive(Debug, Clone, Copy)]
enum Place {
    None,
    /// The project whose things are called.
    Own,
    Other,
    /// The domain that both projects are in.
    Domain,
    System,
}

pub async fn all(cloud: &Cloud, fixture: &Fixture) -> Vec<Persona> {
    let admin = &fixture.admin;
    let other = admin.post("/identity/v3/projects", json!({"project": {"name": "other"}})).await.expect(201);
    let other = text(&other["project"]["id"]).to_owned();
    let roles = admin.get("/identity/v3/roles").await.expect(200);
    let mut people = Vec::new();
    for (name, place, role) in PERSONAS {
        let user = json!({"user": {"name": format!("persona {name}"), "password": testkit::PASSWORD}});
        let user = admin.post("/identity/v3/users", user).await.expect(201);
        let user = text(&user["user"]["id"]).to_owned();
        let (place, scope) = match place {
            Place::None => (None, Value::Null),
            Place::Own => in_project(&fixture.owner.project_id),
            Place::Other => in_project(&other),
            Place::Domain => (Some("domains/default".into()), json!({"domain": {"id": "default"}})),
            Place::System => (Some("system".into()), json!({"system": {"all": true}})),
        };
        if let Some(place) = place {
            let found = roles["roles"].as_array().unwrap().iter().find(|r| r["name"] == role).unwrap();
            let path = format!("/identity/v3/{place}/users/{user}/roles/{}", text(&found["id"]));
            admin.call(Method::PUT, &path, None).await.expect(204);
        }
        let client = Client::with_scope(&cloud.url, &user, testkit::PASSWORD, scope).await;
        people.push(Persona { name, client });
    }
    let owner = Persona {
        name: "the owner: member and the user whose things they are",
        client: fixture.owner.clone(),
    };
    people.insert(8, owner);
    people
}

fn in_project(id: &str) -> (Option<String>, Value) {
    (Some(format!("projects/{id}")), json!({"project": {"id": id}}))
}
