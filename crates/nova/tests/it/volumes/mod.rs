//! Servers with volumes.

mod attaching;
mod booting;
mod changes;

use serde_json::{Value, json};

use crate::cloud::{Answer, Client, Cloud};

pub async fn volume(client: &Client<'_>, size: i64) -> String {
    let body = json!({"volume": {"size": size}});
    let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
    let id = made["volume"]["id"].as_str().unwrap().to_owned();
    wait_volume(client, &id, "available").await;
    id
}

pub async fn bootable(client: &Client<'_>, image: &str) -> String {
    let body = json!({"volume": {"size": 1, "imageRef": image}});
    let made = client.call("POST", "/volume/v3/volumes", Some(body)).await.expect(202);
    let id = made["volume"]["id"].as_str().unwrap().to_owned();
    wait_volume(client, &id, "available").await;
    id
}

pub async fn show(client: &Client<'_>, id: &str) -> Answer {
    client.call("GET", &format!("/volume/v3/volumes/{id}"), None).await
}

pub async fn wait_volume(client: &Client<'_>, id: &str, status: &str) -> Value {
    for _ in 0..2000 {
        let found = show(client, id).await.expect(200)["volume"].take();
        if found["status"] == status {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("volume {id} does not become {status}: {}", show(client, id).await.body);
}

pub async fn wait_no_volume(client: &Client<'_>, id: &str) {
    for _ in 0..2000 {
        if show(client, id).await.status == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("volume {id} does not go");
}

pub async fn server(cloud: &Cloud, client: &Client<'_>) -> String {
    let image = cloud.image("p1").await;
    let id =
        client.server(json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": "none"})).await;
    client.wait(&id, "ACTIVE").await;
    id
}

pub async fn attach(client: &Client<'_>, server: &str, volume: &str) -> Answer {
    let body = json!({"volumeAttachment": {"volumeId": volume}});
    client.post(&format!("/servers/{server}/os-volume_attachments"), body).await
}

pub async fn detach(client: &Client<'_>, server: &str, volume: &str) -> Answer {
    client.delete(&format!("/servers/{server}/os-volume_attachments/{volume}")).await
}

pub fn disks(cloud: &Cloud, server: &str) -> Vec<String> {
    cloud.hypervisor.plan(server).unwrap().disks.into_iter().map(|disk| disk.id).collect()
}

pub fn root(volume: &str) -> Value {
    json!({"source_type": "volume", "uuid": volume, "destination_type": "volume", "boot_index": 0})
}

#[allow(clippy::needless_pass_by_value)]
pub fn booting(devices: Value) -> Value {
    json!({"name": "s", "flavorRef": "1", "networks": "none", "block_device_mapping_v2": devices})
}
