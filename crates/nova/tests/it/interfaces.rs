//! Cards that come and go while a server lives.

use serde_json::json;

use crate::cloud::{Client, Cloud};

async fn count(client: &Client<'_>, server: &str) -> usize {
    let list = client.get(&format!("/servers/{server}/os-interface")).await.expect(200);
    list["interfaceAttachments"].as_array().unwrap().len()
}

#[tokio::test]
async fn ports_are_attached_and_detached() {
    let cloud = Cloud::start().await;
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let demo = cloud.as_("demo");
    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}]});
    let server = demo.server(body).await;
    demo.wait(&server, "ACTIVE").await;
    let path = format!("/servers/{server}/os-interface");

    // The only network, since nothing is said.
    let first = demo.post(&path, json!({})).await.expect(200)["interfaceAttachment"].take();
    assert_eq!((&first["net_id"], &first["port_state"]), (&json!(network), &json!("ACTIVE")));
    let by_address = json!({"interfaceAttachment": {
        "net_id": network, "fixed_ips": [{"ip_address": "10.0.0.77"}], "tag": "data",
    }});
    let second = demo.post(&path, by_address.clone()).await.expect(200)["interfaceAttachment"].take();
    assert_eq!(
        (&second["fixed_ips"][0]["ip_address"], &second["tag"]),
        (&json!("10.0.0.77"), &json!("data"))
    );
    demo.post(&path, by_address).await.fault(409, "conflictingRequest");
    let port = json!({"port": {"network_id": network}});
    let port = demo.call("POST", "/network/v2.0/ports", Some(port)).await.expect(201);
    let port = port["port"]["id"].as_str().unwrap().to_owned();
    let by_port = json!({"interfaceAttachment": {"port_id": port}});
    demo.post(&path, by_port.clone()).await.expect(200);
    demo.post(&path, by_port).await.fault(409, "conflictingRequest");
    assert_eq!((count(&demo, &server).await, cloud.hypervisor.plan(&server).unwrap().nics.len()), (4, 4));

    // One of Nova's own goes, one of the user's stays and is nobody's.
    demo.delete(&format!("{path}/{}", first["port_id"].as_str().unwrap())).await.expect(202);
    demo.delete(&format!("{path}/{port}")).await.expect(202);
    demo.delete(&format!("{path}/{port}")).await.fault(404, "itemNotFound");
    assert_eq!((count(&demo, &server).await, cloud.hypervisor.plan(&server).unwrap().nics.len()), (2, 2));
    let left = demo.call("GET", &format!("/network/v2.0/ports/{port}"), None).await.expect(200);
    assert_eq!((&left["port"]["device_id"], &left["port"]["status"]), (&json!(""), &json!("DOWN")));
    let gone = format!("/network/v2.0/ports/{}", first["port_id"].as_str().unwrap());
    demo.call("GET", &gone, None).await.expect(404);

    // A machine that is made anew has the cards that are left.
    demo.action(&server, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    demo.wait(&server, "ACTIVE").await;
    let addresses = cloud.hypervisor.plan(&server).unwrap().nics.len();
    assert_eq!(addresses, 2);
}

#[tokio::test]
async fn what_cannot_be_attached() {
    let cloud = Cloud::start().await;
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let demo = cloud.as_("demo");
    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": "none"});
    let server = demo.server(body).await;
    demo.wait(&server, "ACTIVE").await;
    let path = format!("/servers/{server}/os-interface");
    let attach =
        async |wanted: serde_json::Value| demo.post(&path, json!({"interfaceAttachment": wanted})).await;
    let nobody = base::id::uuid();
    attach(json!({"net_id": network, "port_id": nobody})).await.fault(400, "badRequest");
    attach(json!({"fixed_ips": [{"ip_address": "10.0.0.5"}]})).await.fault(400, "badRequest");
    attach(json!({"net_id": nobody})).await.fault(404, "itemNotFound");
    attach(json!({"port_id": nobody})).await.fault(404, "itemNotFound");
    attach(json!({"net_id": "x"})).await.fault(400, "badRequest");
    cloud.as_("other").post(&path, json!({})).await.fault(404, "itemNotFound");
    cloud.network("demo", "second", 1).await;
    let told = demo.post(&path, json!({})).await.fault(400, "badRequest");
    assert!(told.starts_with("More than one possible network found"), "{told}");
    demo.action(&server, json!({"lock": null})).await.expect(202);
    attach(json!({"net_id": network})).await.fault(409, "conflictingRequest");
    demo.action(&server, json!({"unlock": null})).await.expect(202);
    assert_eq!(count(&demo, &server).await, 0);
}

#[tokio::test]
async fn a_port_gets_one_more_address_and_loses_it() {
    let cloud = Cloud::start().await;
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let demo = cloud.as_("demo").at("2.43");
    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}]});
    let server = demo.server(body).await;
    demo.wait(&server, "ACTIVE").await;
    demo.action(&server, json!({"addFixedIp": {"networkId": network}})).await.expect(202);
    let ips = demo.get(&format!("/servers/{server}/ips")).await.expect(200);
    let list = ips["addresses"]["net"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    let remove = json!({"removeFixedIp": {"address": list[1]["addr"]}});
    demo.action(&server, remove.clone()).await.expect(202);
    demo.action(&server, remove).await.fault(400, "badRequest");
    demo.action(&server, json!({"addFixedIp": {"networkId": base::id::uuid()}}))
        .await
        .fault(400, "badRequest");
}
