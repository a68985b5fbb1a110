//! A server from image to gone.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Cloud, poll, text};

/// A qcow2 header of an empty 1 MiB disk: version 3, no backing file, clusters of 64 KiB.
fn qcow2() -> Vec<u8> {
    let mut file = vec![0u8; 262_144];
    let fields: [(usize, &[u8]); 9] = [
        (0, b"QFI\xfb"),
        (4, &3u32.to_be_bytes()),
        (20, &16u32.to_be_bytes()),
        (24, &1_048_576u64.to_be_bytes()),
        (36, &1u32.to_be_bytes()),
        (40, &196_608u64.to_be_bytes()),
        (48, &65_536u64.to_be_bytes()),
        (56, &1u32.to_be_bytes()),
        (96, &4u32.to_be_bytes()),
    ];
    for (at, bytes) in fields {
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }
    file[100..104].copy_from_slice(&104u32.to_be_bytes());
    // Refcount table -> one block, in which the four clusters in use are counted once.
    file[65_536..65_544].copy_from_slice(&131_072u64.to_be_bytes());
    for cluster in 0..4 {
        let at = 131_072 + 2 * cluster;
        file[at..at + 2].copy_from_slice(&1u16.to_be_bytes());
    }
    file
}

pub async fn image(client: &Client) -> String {
    let body = json!({"name": "empty", "disk_format": "qcow2", "container_format": "bare"});
    let image = client.post("/image/v2/images", body).await.expect(201);
    let id = text(&image["id"]).to_owned();
    let path = format!("/image/v2/images/{id}/file");
    client.send(Method::PUT, &path, "application/octet-stream", qcow2()).await.expect(204);
    let image = client.get(&format!("/image/v2/images/{id}")).await.expect(200);
    assert_eq!((text(&image["status"]), &image["virtual_size"]), ("active", &json!(1_048_576)));
    id
}

pub async fn network(client: &Client, cidr: &str) -> String {
    let net = client.post("/network/v2.0/networks", json!({"network": {"name": "net"}})).await.expect(201);
    let id = text(&net["network"]["id"]).to_owned();
    let subnet = json!({"subnet": {"network_id": id, "ip_version": 4, "cidr": cidr}});
    client.post("/network/v2.0/subnets", subnet).await.expect(201);
    id
}

pub async fn server(client: &Client, name: &str, image: &str, network: &str) -> String {
    let flavors = client.get("/compute/v2.1/flavors").await.expect(200);
    let body = json!({"server": {
        "name": name, "imageRef": image, "flavorRef": flavors["flavors"][0]["id"], "networks": [{"uuid": network}],
    }});
    let made = client.post("/compute/v2.1/servers", body).await.expect(202);
    text(&made["server"]["id"]).to_owned()
}

pub async fn status(client: &Client, id: &str, wanted: &str) -> Value {
    poll(&format!("server {id} being {wanted}"), 20, async || {
        let seen = client.get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
        assert!(seen["server"]["status"] != "ERROR" || wanted == "ERROR", "{seen}");
        (seen["server"]["status"] == wanted).then_some(seen)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_made_used_and_gone() {
    let cloud = Cloud::start().await;
    let user = cloud.member("anna").await;
    let (image, net) = (image(&user).await, network(&user, "10.0.0.0/24").await);
    let id = server(&user, "one", &image, &net).await;
    let seen = status(&user, &id, "ACTIVE").await;
    let address = text(&seen["server"]["addresses"]["net"][0]["addr"]).to_owned();
    assert!(address.starts_with("10.0.0."), "{seen}");

    let action = format!("/compute/v2.1/servers/{id}/action");
    user.post(&action, json!({"os-stop": null})).await.expect(202);
    status(&user, &id, "SHUTOFF").await;
    user.post(&action, json!({"reboot": {"type": "SOFT"}})).await.expect(409);
    user.post(&action, json!({"os-start": null})).await.expect(202);
    status(&user, &id, "ACTIVE").await;
    user.post(&action, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    status(&user, &id, "ACTIVE").await;

    user.delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    poll("the server being gone", 20, async || {
        (user.get(&format!("/compute/v2.1/servers/{id}")).await.status == 404).then_some(())
    })
    .await;
    let ports = user.get("/network/v2.0/ports?device_owner=compute:nova").await.expect(200);
    assert_eq!(ports["ports"], json!([]));
    assert!(cloud.assembled.drivers.hypervisor.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floating_ip_comes_and_goes() {
    let cloud = Cloud::start().await;
    let user = cloud.member("anna").await;
    let (image, net) = (image(&user).await, network(&user, "10.0.0.0/24").await);
    let public = user.get("/network/v2.0/networks?router:external=true").await.expect(200);
    let public = text(&public["networks"][0]["id"]).to_owned();
    let router = json!({"router": {"name": "r", "external_gateway_info": {"network_id": public}}});
    let router = user.post("/network/v2.0/routers", router).await.expect(201);
    let router = text(&router["router"]["id"]).to_owned();
    let subnets = user.get(&format!("/network/v2.0/subnets?network_id={net}")).await.expect(200);
    let interface = json!({"subnet_id": subnets["subnets"][0]["id"]});
    user.put(&format!("/network/v2.0/routers/{router}/add_router_interface"), interface.clone())
        .await
        .expect(200);

    let id = server(&user, "one", &image, &net).await;
    status(&user, &id, "ACTIVE").await;
    let ports = user.get(&format!("/network/v2.0/ports?device_id={id}")).await.expect(200);
    let port = text(&ports["ports"][0]["id"]).to_owned();
    let fip = json!({"floatingip": {"floating_network_id": public, "port_id": port}});
    let fip = user.post("/network/v2.0/floatingips", fip).await.expect(201);
    let fip = text(&fip["floatingip"]["id"]).to_owned();
    let state = async |wanted: &'static str| {
        poll(&format!("the floating IP being {wanted}"), 20, async || {
            let seen = user.get(&format!("/network/v2.0/floatingips/{fip}")).await.expect(200);
            (seen["floatingip"]["status"] == wanted).then_some(())
        })
        .await;
    };
    state("ACTIVE").await;
    let seen = user.get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
    let kinds: Vec<&str> = seen["server"]["addresses"]["net"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| text(&a["OS-EXT-IPS:type"]))
        .collect();
    assert_eq!(kinds, ["fixed", "floating"]);
    user.put(&format!("/network/v2.0/floatingips/{fip}"), json!({"floatingip": {"port_id": null}}))
        .await
        .expect(200);
    state("DOWN").await;
    user.put(&format!("/network/v2.0/routers/{router}/remove_router_interface"), interface).await.expect(200);
}
