//! What guests read, asked as the host asks: by port and address.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::cloud::Cloud;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl u@h";

#[tokio::test]
async fn guests_read_openstacks_and_ec2s_trees() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    demo.post("/os-keypairs", json!({"keypair": {"name": "k", "public_key": KEY}})).await.expect(201);
    let id = demo
        .server(json!({
            "name": "node-1", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}], "key_name": "k",
            "user_data": "I2Nsb3VkLWNvbmZpZwo=", "metadata": {"role": "worker"}, "config_drive": true,
            "adminPass": "secret",
        }))
        .await;
    let server = demo.wait(&id, "ACTIVE").await;
    let address: IpAddr = server["addresses"]["net"][0]["addr"].as_str().unwrap().parse().unwrap();
    let get = async |path: &str| cloud.network.metadata(&network, address, path).await.map(|a| a.body);
    let text = async |path: &str| String::from_utf8(get(path).await.unwrap()).unwrap();
    let data = async |path: &str| serde_json::from_slice::<Value>(&get(path).await.unwrap()).unwrap();

    let meta = data("/openstack/latest/meta_data.json").await;
    assert_eq!(meta["uuid"], json!(id));
    assert_eq!(meta["hostname"], "node-1", "a node is named as its server");
    assert_eq!(meta["availability_zone"], "nova");
    assert_eq!(meta["project_id"], "demo");
    assert_eq!(meta["meta"], json!({"role": "worker"}));
    assert_eq!(meta["public_keys"], json!({"k": KEY}));
    assert!(meta.get("admin_pass").is_none(), "the password is for the drive alone");
    assert!(data("/openstack/2012-08-10/meta_data.json").await.get("random_seed").is_none());
    assert!(text("/openstack").await.ends_with("2020-10-14\nlatest"));
    assert!(text("/openstack/latest/").await.contains("network_data.json"));
    assert_eq!(text("/openstack/latest/user_data").await, "#cloud-config\n");
    let vendor = data("/openstack/latest/vendor_data.json").await["cloud-init"].take();
    let trusted = vendor.as_str().unwrap().strip_prefix("#cloud-config\n").unwrap();
    let trusted: Value = serde_json::from_str(trusted).unwrap();
    assert_eq!(trusted, json!({"ca_certs": {"trusted": ["an authority"]}}));
    let net = data("/openstack/latest/network_data.json").await;
    assert_eq!(net["networks"][0]["type"], "ipv4_dhcp");
    assert_eq!(net["links"][0]["id"], net["networks"][0]["link"]);
    assert_eq!(net["services"], json!([{"type": "dns", "address": "9.9.9.9"}]));
    assert!(get("/openstack/1999-01-01/meta_data.json").await.is_none());
    assert!(get("/nonsense").await.is_none());

    assert!(text("/").await.ends_with("2009-04-04\nlatest"));
    assert_eq!(text("/latest").await, "meta-data/\nuser-data");
    assert_eq!(text("/latest/meta-data/hostname").await, "node-1");
    assert_eq!(text("/latest/meta-data/instance-type").await, "m1.tiny");
    assert_eq!(text("/latest/meta-data/local-ipv4").await, address.to_string());
    assert_eq!(text("/latest/meta-data/public-keys/").await, "0=k");
    assert_eq!(text("/latest/meta-data/public-keys/0/openssh-key").await, KEY);
    assert_eq!(text("/latest/meta-data/placement/availability-zone").await, "nova");
    assert_eq!(text("/2009-04-04/user-data").await, "#cloud-config\n");

    let drive = cloud.hypervisor.plan(&id).unwrap().config_drive.unwrap();
    let meta: Value = serde_json::from_slice(&drive["openstack/latest/meta_data.json"]).unwrap();
    assert_eq!(meta["admin_pass"], "secret");
    assert_eq!(drive["openstack/latest/user_data"], b"#cloud-config\n");
    assert!(drive.contains_key("ec2/latest/meta-data.json"));
}

#[tokio::test]
async fn a_guest_posts_a_password_once() {
    use host::MetadataPosted::{Conflict, Kept, Refused, TooLarge};
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let id = demo
        .server(json!({"name": "a", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}]}))
        .await;
    let server = demo.wait(&id, "ACTIVE").await;
    let address: IpAddr = server["addresses"]["net"][0]["addr"].as_str().unwrap().parse().unwrap();
    let post = async |path: &str, body: &[u8]| {
        cloud.network.post_metadata(&network, address, path, body).await.unwrap()
    };
    let shown =
        async |who: &crate::cloud::Client<'_>| who.get(&format!("/servers/{id}/os-server-password")).await;
    const PATH: &str = "/openstack/2013-10-17/password";

    assert_eq!(shown(&demo).await.expect(200)["password"], "");
    assert_eq!(post("/openstack/2012-08-10/password", b"x").await, Refused, "older than passwords");
    assert_eq!(post("/openstack/latest/meta_data.json", b"x").await, Refused);
    assert_eq!(post(PATH, &[b'x'; 1021]).await, TooLarge);
    assert_eq!(post(PATH, b"c2VjcmV0").await, Kept);
    assert_eq!(post(PATH, b"another").await, Conflict);
    assert_eq!(shown(&demo).await.expect(200)["password"], "c2VjcmV0");
    assert_eq!(shown(&cloud.as_("other")).await.status, 404);
    let read = cloud.network.metadata(&network, address, PATH).await.unwrap();
    assert_eq!(read.body, b"c2VjcmV0");

    demo.delete(&format!("/servers/{id}/os-server-password")).await.expect(204);
    assert_eq!(shown(&demo).await.expect(200)["password"], "");
    assert_eq!(post("/openstack/latest/password", b"again").await, Kept);
}

#[tokio::test]
async fn nobody_reads_of_another_projects_server() {
    use host::MetadataPosted::NotFound;
    let cloud = Cloud::start().await;
    let (demo, other) = (cloud.as_("demo"), cloud.as_("other"));
    let server = async |client: &crate::cloud::Client<'_>, image: &str, network: &str| {
        let networks = json!([{"uuid": network}]);
        let body = json!({"name": "a", "imageRef": image, "flavorRef": "1", "networks": networks});
        let id = client.server(body).await;
        (id.clone(), client.wait(&id, "ACTIVE").await)
    };
    let network = cloud.network("demo", "net", 0).await;
    let (victim, _) = server(&demo, &cloud.image("demo").await, &network).await;
    let network = cloud.network("other", "net", 1).await;
    let (own, shown) = server(&other, &cloud.image("other").await, &network).await;
    let address: IpAddr = shown["addresses"]["net"][0]["addr"].as_str().unwrap().parse().unwrap();
    let path = format!("/network/v2.0/ports?device_id={own}");
    let port = other.call("GET", &path, None).await.expect(200)["ports"][0]["id"].clone();
    let path = format!("/network/v2.0/ports/{}", port.as_str().unwrap());
    other.call("PUT", &path, Some(json!({"port": {"device_id": victim}}))).await.expect(200);
    // Nor is a card of theirs shown, or plugged into the machine.
    let cards = demo.get(&format!("/servers/{victim}/os-interface")).await.expect(200);
    assert_eq!(cards["interfaceAttachments"].as_array().unwrap().len(), 1);
    for asked in
        ["/openstack/latest/meta_data.json", "/openstack/latest/user_data", "/latest/meta-data/hostname"]
    {
        assert!(cloud.network.metadata(&network, address, asked).await.is_none(), "{asked}");
    }
    let posted = cloud.network.post_metadata(&network, address, "/openstack/latest/password", b"x").await;
    assert_eq!(posted.unwrap(), NotFound);
}
