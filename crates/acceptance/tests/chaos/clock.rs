//! A machine's clock that is set forward or back by a day, under the daemon and between two of its lives. What is told to
//! end at an instant does so; nothing else may depend on it.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, text};

use crate::daemon::Daemon;
use crate::model::World;

pub const DAY: i64 = 24 * 3600;

/// What is wrong, a line each.
pub async fn jumps(world: &mut World, daemon: &mut Daemon) -> Vec<String> {
    let mut wrong = Vec::new();
    let staged = staged_image(&world.admin).await;
    let person = person(&world.admin).await;
    let old = world.admin.clone();

    daemon.set_clock(DAY).await;
    if old.get("/identity/v3/projects").await.status != 401 {
        wrong.push("a token outlives its end by a clock that was set forward".to_owned());
    }
    world.login().await;
    wrong.extend(works(world, "a day ahead").await);
    // All tokens of that user end, by a clock that is wrong.
    change_password(&world.admin, &person, "second").await;

    daemon.set_clock(0).await;
    world.login().await;
    wrong.extend(works(world, "back from a day ahead").await);
    if !logs_in(daemon, &person, "second").await {
        wrong.push("whoever changed the password while the clock was ahead cannot log in".to_owned());
    }
    wrong.extend(imports(&world.admin, &staged).await);

    daemon.set_clock(-DAY).await;
    world.login().await;
    wrong.extend(works(world, "a day behind").await);
    daemon.kill();
    daemon.set_clock(DAY).await;
    daemon.restart().await;
    world.login().await;
    wrong.extend(works(world, "started again two days later").await);
    daemon.kill();
    daemon.set_clock(0).await;
    daemon.restart().await;
    world.login().await;
    wrong.extend(works(world, "started again a day earlier").await);
    wrong
}

/// A server comes, changes and goes, each within the usual time, and the newest action is told first.
async fn works(world: &World, when: &str) -> Option<String> {
    let body = json!({"server": {
        "name": "clock", "imageRef": world.image, "flavorRef": world.flavors[0], "networks": [{"uuid": world.network}],
    }});
    let made = world.admin.post("/compute/v2.1/servers", body).await.expect(202);
    let path = format!("/compute/v2.1/servers/{}", text(&made["server"]["id"]));
    let mut reached = rests(&world.admin, &path, "ACTIVE").await;
    for (action, status) in [("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")] {
        if reached {
            world.admin.post(&format!("{path}/action"), json!({ action: null })).await.expect(202);
            reached = rests(&world.admin, &path, status).await;
        }
    }
    let actions = world.admin.get(&format!("{path}/os-instance-actions")).await.expect(200);
    let newest = actions["instanceActions"][0]["action"].clone();
    world.admin.delete(&path).await.expect(204);
    if !reached {
        return Some(format!("{when}: a server does not come to rest: {actions}"));
    }
    (newest != "start").then(|| format!("{when}: the newest action is {newest}"))
}

async fn rests(admin: &Client, path: &str, status: &str) -> bool {
    for _ in 0..1000 {
        let server = admin.get(path).await.expect(200)["server"].take();
        if server["OS-EXT-STS:task_state"].is_null() && server["status"] != "BUILD" {
            return server["status"] == status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    false
}

async fn staged_image(admin: &Client) -> String {
    let body = json!({"name": "staged", "disk_format": "raw", "container_format": "bare"});
    let id = text(&admin.post("/image/v2/images", body).await.expect(201)["id"]).to_owned();
    let path = format!("/image/v2/images/{id}/stage");
    admin.send(Method::PUT, &path, "application/octet-stream", vec![1; 4096]).await.expect(204);
    id
}

/// Data that was staged before all jumps is still there to be imported.
async fn imports(admin: &Client, id: &str) -> Option<String> {
    let path = format!("/image/v2/images/{id}");
    let body = json!({"method": {"name": "glance-direct"}});
    admin.post(&format!("{path}/import"), body).await.expect(202);
    let mut status = Value::Null;
    for _ in 0..1000 {
        status = admin.get(&path).await.expect(200)["status"].take();
        if status != "importing" && status != "uploading" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    admin.delete(&path).await.expect(204);
    (status != "active").then(|| format!("staged data became {status} when the clock had jumped"))
}

async fn person(admin: &Client) -> String {
    let user = json!({"user": {"name": "person", "password": "first"}});
    text(&admin.post("/identity/v3/users", user).await.expect(201)["user"]["id"]).to_owned()
}

async fn change_password(admin: &Client, user: &str, password: &str) {
    let body = json!({"user": {"password": password}});
    admin.call(Method::PATCH, &format!("/identity/v3/users/{user}"), Some(body)).await.expect(200);
}

async fn logs_in(daemon: &Daemon, user: &str, password: &str) -> bool {
    let user = json!({"id": user, "password": password});
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
    let url = format!("{}/identity/v3/auth/tokens", daemon.url);
    let sent = reqwest::Client::new().post(url).json(&body).send().await.expect("an answer");
    sent.status() == 201
}
