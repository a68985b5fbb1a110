//! Creating, seeing and finding servers.

use serde_json::{Value, json};

use crate::cloud::{ADMIN, Client, Cloud};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl u@h";

#[tokio::test]
async fn a_server_becomes_active_with_an_address() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    demo.post("/os-keypairs", json!({"keypair": {"name": "k", "public_key": KEY}})).await.expect(201);
    let body = json!({"server": {
        "name": "My Server", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}], "key_name": "k",
        "metadata": {"a": "b"}, "tags": ["x"], "description": "d", "config_drive": true,
    }});
    let answer = demo.post("/servers", body).await;
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let made = answer.expect(202);
    let id = made["server"]["id"].as_str().unwrap();
    assert_eq!(location, format!("http://cloud/compute/v2.1/servers/{id}"));
    assert_eq!(made["server"]["OS-DCF:diskConfig"], "MANUAL");
    assert_eq!(made["server"]["security_groups"], json!([{"name": "default"}]));
    assert_eq!(made["server"]["adminPass"].as_str().unwrap().len(), 12);
    let server = demo.wait(id, "ACTIVE").await;
    assert_eq!(server["name"], "My Server");
    assert_eq!(server["OS-EXT-AZ:availability_zone"], "nova");
    assert_eq!(server["OS-EXT-STS:power_state"], 1);
    assert_eq!(server["OS-EXT-SRV-ATTR:hostname"], "my-server");
    assert_eq!(server["flavor"]["original_name"], "m1.tiny");
    assert!(server["flavor"].get("id").is_none());
    assert_eq!(server["config_drive"], "True");
    assert_eq!(server["tags"], json!(["x"]));
    assert_eq!(server["security_groups"], json!([{"name": "default"}]));
    assert!(server["OS-SRV-USG:launched_at"].is_string());
    assert!(server.get("OS-EXT-SRV-ATTR:host").is_none(), "hosts are for admins");
    let address = &server["addresses"]["net"][0];
    assert_eq!(address["version"], 4);
    assert_eq!(address["OS-EXT-IPS:type"], "fixed");
    assert!(address["addr"].as_str().unwrap().starts_with("10.0.0."));
    assert!(cloud.hypervisor.plan(id).unwrap().config_drive.is_some());
    let old = cloud.as_("demo").at("2.1").get(&format!("/servers/{id}")).await.expect(200);
    assert_eq!(old["server"]["flavor"]["id"], "1");
    assert!(old["server"].get("tags").is_none() && old["server"].get("locked").is_none());
    let admin = cloud.as_(ADMIN).get(&format!("/servers/{id}")).await.expect(200);
    assert_eq!(admin["server"]["OS-EXT-SRV-ATTR:host"], "simulated");
    assert_eq!(admin["server"]["host_status"], "UP");
    let ips = demo.get(&format!("/servers/{id}/ips")).await.expect(200);
    assert_eq!(ips["addresses"]["net"][0].as_object().unwrap().len(), 2);
    let interfaces = demo.get(&format!("/servers/{id}/os-interface")).await.expect(200);
    assert_eq!(interfaces["interfaceAttachments"][0]["port_state"], "ACTIVE");
    let console = demo.action(id, json!({"os-getConsoleOutput": {"length": 3}})).await.expect(200);
    assert_eq!(console["output"].as_str().unwrap().split('\n').count(), 3);
    assert!(console["output"].as_str().unwrap().contains("login:"));
}

#[tokio::test]
async fn another_projects_server_is_not_there() {
    let cloud = Cloud::start().await;
    let image = cloud.image("demo").await;
    let id = cloud
        .as_("demo")
        .server(json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": "none"}))
        .await;
    let other = cloud.as_("other");
    let told = other.get(&format!("/servers/{id}")).await.fault(404, "itemNotFound");
    assert_eq!(told, format!("Instance {id} could not be found."));
    other.delete(&format!("/servers/{id}")).await.fault(404, "itemNotFound");
    other.action(&id, json!({"os-stop": null})).await.fault(404, "itemNotFound");
    assert_eq!(other.get("/servers/detail").await.expect(200)["servers"], json!([]));
    other.get("/servers?all_tenants=1").await.fault(403, "forbidden");
    let all = cloud.as_(ADMIN).get("/servers?all_tenants=1").await.expect(200);
    assert_eq!(all["servers"][0]["id"], json!(id));
}

async fn refused(client: &Client<'_>, server: Value) -> String {
    client.post("/servers", json!({"server": server})).await.fault(400, "badRequest")
}

#[tokio::test]
async fn bad_requests_are_told_in_novas_words() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let image = cloud.image("demo").await;
    let with = |extra: Value| {
        let mut body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": "none"});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let told = async |extra: Value| refused(&demo, with(extra)).await;
    assert_eq!(
        told(json!({"name": ""})).await,
        "Invalid input for field/attribute name. Value: . '' should be non-empty"
    );
    assert_eq!(told(json!({"imageRef": ""})).await, "Missing imageRef attribute");
    let unknown = "11111111-1111-4111-8111-111111111111";
    assert_eq!(told(json!({"imageRef": unknown})).await, "Can not find requested image");
    assert_eq!(told(json!({"flavorRef": "nope"})).await, "Flavor nope could not be found.");
    assert_eq!(told(json!({"key_name": "nope"})).await, "Invalid key_name provided.");
    assert_eq!(
        told(json!({"networks": [{"uuid": unknown}]})).await,
        format!("Network {unknown} could not be found.")
    );
    assert_eq!(
        told(json!({"networks": [{"port": unknown}]})).await,
        format!("Port id {unknown} could not be found.")
    );
    assert_eq!(
        told(json!({"availability_zone": "mars"})).await,
        "The requested availability zone is not available"
    );
    assert_eq!(told(json!({"min_count": 3, "max_count": 2})).await, "min_count must be <= max_count");
    assert!(told(json!({"user_data": "%%%"})).await.ends_with("'%%%' is not a 'base64'"));
    assert!(told(json!({"user_data": "A".repeat(65536)})).await.ends_with("is too long"));
    assert!(told(json!({"personality": []})).await.contains("'personality' was unexpected"));
    assert!(
        told(
            json!({"block_device_mapping_v2": [{"source_type": "volume", "uuid": unknown, "boot_index": 0}]})
        )
        .await
        .contains("could not be found")
    );
    let old = cloud.as_("demo").at("2.36");
    assert!(refused(&old, with(json!({}))).await.contains("networks"), "auto and none came with 2.37");
    demo.post("/servers", json!({})).await.fault(400, "badRequest");
    let forced =
        demo.post("/servers", json!({"server": with(json!({"availability_zone": "nova:simulated"}))})).await;
    forced.fault(403, "forbidden");
    // A root block device that says no more than imageRef does is fine.
    let root = json!({"block_device_mapping_v2": [{
        "source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": image,
        "delete_on_termination": true,
    }]});
    demo.post("/servers", json!({"server": with(root)})).await.expect(202);
}

#[tokio::test]
async fn without_networks_the_only_one_is_taken_and_two_are_ambiguous() {
    let cloud = Cloud::start().await;
    let image = cloud.image("demo").await;
    let old = cloud.as_("demo").at("2.1");
    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1"});
    let none = old.server(body.clone()).await;
    assert_eq!(old.wait(&none, "ACTIVE").await["addresses"], json!({}));
    let auto = json!({"server": {"name": "s", "imageRef": image, "flavorRef": "1", "networks": "auto"}});
    cloud.as_("demo").post("/servers", auto).await.fault(400, "badRequest");
    cloud.network("demo", "one", 1).await;
    let one = old.server(body.clone()).await;
    assert!(old.wait(&one, "ACTIVE").await["addresses"]["one"].is_array());
    cloud.network("demo", "two", 2).await;
    old.post("/servers", json!({"server": body})).await.fault(409, "conflictingRequest");
}

#[tokio::test]
async fn a_server_asks_for_a_network_and_gets_one() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN);
    let external = json!({"network": {"name": "out", "router:external": true, "is_default": true}});
    let external = admin.call("POST", "/network/v2.0/networks", Some(external)).await.expect(201);
    let subnet = json!({"subnet": {
        "network_id": external["network"]["id"], "ip_version": 4, "cidr": "172.24.4.0/24", "enable_dhcp": false,
    }});
    admin.call("POST", "/network/v2.0/subnets", Some(subnet)).await.expect(201);
    let pool = json!({"subnetpool": {
        "name": "d", "prefixes": ["10.32.0.0/12"], "is_default": true, "default_prefixlen": 26,
    }});
    admin.call("POST", "/network/v2.0/subnetpools", Some(pool)).await.expect(201);
    let image = cloud.image("demo").await;
    let demo = cloud.as_("demo").at("2.37");
    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": "auto"});
    for _ in 0..2 {
        let server = demo.server(body.clone()).await;
        let addresses = demo.wait(&server, "ACTIVE").await["addresses"].clone();
        let address = addresses["auto_allocated_network"][0]["addr"].as_str().unwrap().to_owned();
        assert!(address.starts_with("10.32.0."), "{addresses}");
    }
}

#[tokio::test]
async fn quota_is_counted_with_the_rows() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let image = cloud.image("demo").await;
    let limit = json!({"quota_set": {"instances": 2}});
    cloud.as_(ADMIN).put("/os-quota-sets/demo", limit).await.expect(200);
    let body = |min: i64, max: i64| {
        json!({"server": {
            "name": "s", "imageRef": image, "flavorRef": "42", "networks": "none", "min_count": min, "max_count": max,
        }})
    };
    let told = demo.post("/servers", body(3, 3)).await.fault(403, "forbidden");
    assert_eq!(told, "Quota exceeded for instances: Requested 3, but already used 0 of 2 instances");
    // As many of min..max as fit.
    demo.post("/servers", body(1, 5)).await.expect(202);
    let list = demo.get("/servers?sort_key=display_name&sort_dir=asc").await.expect(200);
    let names: Vec<&str> =
        list["servers"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["s-1", "s-2"]);
    let told = demo.post("/servers", body(1, 1)).await.fault(403, "forbidden");
    assert_eq!(told, "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances");
    let used = demo.get("/limits").await.expect(200);
    assert_eq!(used["limits"]["absolute"]["totalInstancesUsed"], 2);
}

#[tokio::test]
async fn lists_filter_by_pattern_status_tags_and_address() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let mut ids = Vec::new();
    for (name, ip, tags) in
        [("web-1", "10.0.0.11", json!(["a", "b"])), ("web-10", "10.0.0.110", json!(["b"]))]
    {
        let networks = json!([{"uuid": network, "fixed_ip": ip}]);
        let body =
            json!({"name": name, "imageRef": image, "flavorRef": "42", "networks": networks, "tags": tags});
        let id = demo.server(body).await;
        demo.wait(&id, "ACTIVE").await;
        ids.push(id);
    }
    let found = async |query: &str| -> Vec<String> {
        let list = demo.get(&format!("/servers?sort_dir=asc&{query}")).await.expect(200);
        list["servers"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found("name=web-1").await, ["web-1", "web-10"]);
    assert_eq!(found("name=%5Eweb-1%24").await, ["web-1"]);
    assert_eq!(found("status=active&flavor=42").await.len(), 2);
    assert_eq!(found("status=SHUTOFF").await.len(), 0);
    assert_eq!(found("ip=10.0.0.11$").await, ["web-1"]);
    assert_eq!(found("tags=a,b").await, ["web-1"]);
    assert_eq!(found("tags-any=a,b").await.len(), 2);
    assert_eq!(found("not-tags-any=a").await, ["web-10"]);
    assert_eq!(found(&format!("image={image}&changes-since=2020-01-01T00:00:00Z")).await.len(), 2);
    assert_eq!(found("changes-since=2999-01-01T00:00:00Z").await.len(), 0);
    demo.get("/servers?name=(").await.fault(400, "badRequest");
    demo.get("/servers?status=NONSENSE").await.fault(400, "badRequest");
    demo.get("/servers?sort_key=nonsense").await.fault(400, "badRequest");
    // Newest first, page by page.
    let first = demo.get("/servers?limit=1").await.expect(200);
    assert_eq!(first["servers"][0]["id"], json!(ids[1]));
    let href = first["servers_links"][0]["href"].as_str().unwrap();
    let second = demo.call("GET", href.strip_prefix("http://cloud").unwrap(), None).await.expect(200);
    assert_eq!(second["servers"][0]["id"], json!(ids[0]));
    assert!(second.get("servers_links").is_none());
    demo.get(&format!("/servers?marker={}", base::id::uuid())).await.fault(400, "badRequest");
}

#[tokio::test]
async fn metadata_and_tags_are_changed_one_by_one_and_at_once() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let image = cloud.image("demo").await;
    let id =
        demo.server(json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"})).await;
    demo.wait(&id, "ACTIVE").await;
    let at = |rest: &str| format!("/servers/{id}/{rest}");
    demo.post(&at("metadata"), json!({"metadata": {"a": "1", "b": "2"}})).await.expect(200);
    demo.put(&at("metadata/a"), json!({"meta": {"a": "3"}})).await.expect(200);
    demo.put(&at("metadata/a"), json!({"meta": {"b": "3"}})).await.fault(400, "badRequest");
    assert_eq!(demo.get(&at("metadata")).await.expect(200)["metadata"], json!({"a": "3", "b": "2"}));
    assert_eq!(demo.delete(&at("metadata/b")).await.status, 204);
    assert_eq!(demo.get(&at("metadata/b")).await.fault(404, "itemNotFound"), "Metadata item was not found");
    demo.put(&at("metadata"), json!({"metadata": {}})).await.expect(200);
    assert_eq!(demo.get(&at("metadata")).await.expect(200)["metadata"], json!({}));
    demo.put(&at("tags"), json!({"tags": ["b", "a"]})).await.expect(200);
    let new = demo.put(&at("tags/c"), json!({})).await;
    assert_eq!((new.status, new.headers.contains_key("location")), (201, true));
    assert_eq!(demo.put(&at("tags/c"), json!({})).await.status, 204);
    assert_eq!(demo.get(&at("tags")).await.expect(200)["tags"], json!(["a", "b", "c"]));
    assert_eq!(demo.delete(&at("tags/b")).await.status, 204);
    assert_eq!(demo.get(&at("tags/b")).await.status, 404);
    demo.put(&at("tags/x,y"), json!({})).await.fault(400, "badRequest");
    cloud.as_("demo").at("2.25").get(&at("tags")).await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn an_update_changes_names_and_access_addresses() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let image = cloud.image("demo").await;
    let id =
        demo.server(json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"})).await;
    demo.wait(&id, "ACTIVE").await;
    let body = json!({"server": {"name": "t", "description": null, "accessIPv4": "192.0.2.1", "accessIPv6": "0:0:0:0:0:babe:220.12.22.2"}});
    let server = demo.put(&format!("/servers/{id}"), body).await.expect(200);
    assert_eq!(server["server"]["name"], "t");
    assert_eq!(server["server"]["accessIPv4"], "192.0.2.1");
    assert_eq!(server["server"]["accessIPv6"], "::babe:dc0c:1602");
    assert!(server["server"].get("OS-EXT-STS:vm_state").is_some());
    let old = json!({"server": {"name": "u"}});
    let server = cloud.as_("demo").at("2.1").put(&format!("/servers/{id}"), old).await.expect(200);
    assert!(server["server"].get("OS-EXT-STS:vm_state").is_none(), "until 2.75 an update answers less");
    let bad = json!({"server": {"accessIPv4": "nonsense"}});
    demo.put(&format!("/servers/{id}"), bad).await.fault(400, "badRequest");
}

#[tokio::test]
async fn security_groups_are_added_shown_and_removed() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let group = json!({"security_group": {"name": "web"}});
    let group = demo.call("POST", "/network/v2.0/security-groups", Some(group)).await.expect(201);
    let rule = json!({"security_group_rule": {
        "security_group_id": group["security_group"]["id"], "direction": "ingress", "protocol": "tcp",
        "port_range_min": 80, "port_range_max": 80,
    }});
    demo.call("POST", "/network/v2.0/security-group-rules", Some(rule)).await.expect(201);
    let networks = json!([{"uuid": network}]);
    let id =
        demo.server(json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": networks})).await;
    demo.wait(&id, "ACTIVE").await;
    demo.action(&id, json!({"addSecurityGroup": {"name": "web"}})).await.expect(202);
    let shown = demo.get(&format!("/servers/{id}")).await.expect(200);
    let mut names: Vec<&str> = shown["server"]["security_groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["default", "web"]);
    let groups = demo.get(&format!("/servers/{id}/os-security-groups")).await.expect(200);
    let web = groups["security_groups"].as_array().unwrap().iter().find(|g| g["name"] == "web").unwrap();
    assert_eq!(web["rules"][0]["from_port"], 80);
    assert_eq!(web["rules"][0]["ip_range"], json!({"cidr": "0.0.0.0/0"}));
    demo.action(&id, json!({"removeSecurityGroup": {"name": "web"}})).await.expect(202);
    demo.action(&id, json!({"removeSecurityGroup": {"name": "web"}})).await.fault(404, "itemNotFound");
    demo.action(&id, json!({"addSecurityGroup": {"name": "nope"}})).await.fault(404, "itemNotFound");
    // A server may be made with several groups by name.
    let body = json!({
        "name": "t", "imageRef": image, "flavorRef": "42", "networks": networks,
        "security_groups": [{"name": "web"}, {"name": "default"}],
    });
    let id = demo.server(body).await;
    assert_eq!(demo.wait(&id, "ACTIVE").await["security_groups"].as_array().unwrap().len(), 2);
    let body = json!({"server": {
        "name": "t", "imageRef": image, "flavorRef": "42", "networks": networks, "security_groups": [{"name": "nope"}],
    }});
    demo.post("/servers", body).await.fault(400, "badRequest");
}

#[tokio::test]
async fn pages_cost_what_they_show_and_filters_agree_with_what_is_shown() {
    let cloud = Cloud::start().await;
    let (image, demo) = (cloud.image("demo").await, cloud.as_("demo"));
    let body = |name: &str, count: u8| json!({"server": {"name": name, "imageRef": image, "flavorRef": "42", "networks": "none", "min_count": count}});
    let quota = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
    cloud.as_(ADMIN).put("/os-quota-sets/demo", quota).await.expect(200);
    demo.post("/servers", body("a", 4)).await.expect(202);
    demo.post("/servers", body("b", 3)).await.expect(202);
    let names = async |query: &str| -> Vec<String> {
        let mut path = format!("/servers/detail?{query}");
        let mut all = Vec::new();
        loop {
            let page = demo.get(&path).await.expect(200);
            all.extend(
                page["servers"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["servers_links"][0]["href"].as_str() else { return all };
            path = next.split_once("/v2.1").unwrap().1.to_owned();
        }
    };
    let mut ids = Vec::new();
    for server in demo.get("/servers").await.expect(200)["servers"].as_array().unwrap() {
        ids.push(server["id"].as_str().unwrap().to_owned());
        demo.wait(ids.last().unwrap(), "ACTIVE").await;
    }
    let all = names("limit=2").await;
    assert_eq!((all.len(), &all), (7, &names("").await));
    let mut oldest = names("limit=3&sort_key=created_at&sort_dir=asc").await;
    assert!(
        oldest.first().unwrap().starts_with('a') && oldest.last().unwrap().starts_with('b'),
        "{oldest:?}"
    );
    oldest.sort();
    assert_eq!(oldest, ["a-1", "a-2", "a-3", "a-4", "b-1", "b-2", "b-3"]);
    assert_eq!(names("limit=1&name=^b").await.len(), 3);
    demo.action(&ids[0], json!({"os-stop": null})).await.expect(202);
    demo.wait(&ids[0], "SHUTOFF").await;
    demo.action(&ids[1], json!({"lock": null})).await.expect(202);
    assert_eq!((names("status=SHUTOFF").await.len(), names("status=ACTIVE&limit=4").await.len()), (1, 6));
    assert_eq!(names("status=ERROR&status=SHUTOFF").await.len(), 1);
    assert_eq!((names("locked=true").await.len(), names("locked=false&status=ACTIVE").await.len()), (1, 5));
    assert_eq!(names("status=RESIZE").await, [""; 0]);
    demo.get(&format!("/servers?marker={}", base::id::uuid())).await.fault(400, "badRequest");
}

#[tokio::test]
async fn the_newest_microversions_tell_more() {
    let cloud = Cloud::start().await;
    let (image, demo) = (cloud.image("demo").await, cloud.as_("demo").at("2.104"));
    let patch = json!({"meta": {"os_distro": "tiny"}});
    cloud.as_("demo").at("2.38").put(&format!("/images/{image}/metadata/os_distro"), patch).await.expect(200);
    let body = json!({
        "server": {
            "name": "s", "imageRef": image, "flavorRef": "1", "networks": "none", "availability_zone": "nova",
        },
        "os:scheduler_hints": {"color": "red"},
    });
    let made = demo.post("/servers", body).await.expect(202);
    let id = made["server"]["id"].as_str().unwrap();
    let server = demo.wait(id, "ACTIVE").await;
    assert_eq!(server["image"]["properties"], json!({"os_distro": "tiny"}));
    assert_eq!(server["scheduler_hints"], json!({"color": "red"}));
    let old = cloud.as_("demo").at("2.97").get(&format!("/servers/{id}")).await.expect(200);
    assert!(
        old["server"]["image"].get("properties").is_none() && old["server"].get("scheduler_hints").is_none()
    );
    let pin = async |zone: serde_json::Value| {
        demo.put(&format!("/servers/{id}"), json!({"server": {"pinned_availability_zone": zone}})).await
    };
    pin(json!("west")).await.fault(409, "conflictingRequest");
    assert_eq!(pin(Value::Null).await.expect(200)["server"]["pinned_availability_zone"], Value::Null);
    pin(json!("west")).await.fault(409, "conflictingRequest");
    assert_eq!(pin(json!("nova")).await.expect(200)["server"]["pinned_availability_zone"], "nova");
    assert_eq!(demo.get(&format!("/servers/{id}/shares")).await.expect(200), json!({"shares": []}));
    assert_eq!(demo.get(&format!("/servers/{id}/topology")).await.expect(200)["nodes"], json!([]));
    let flavors = demo.get("/flavors/detail?name=m1.tiny").await.expect(200);
    assert_eq!(flavors["flavors"].as_array().unwrap().len(), 1);
    assert!(flavors["flavors"][0].get("rxtx_factor").is_none());
}

#[tokio::test]
async fn trusted_certificates_are_told_as_they_were_given() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let image = cloud.image("demo").await;
    let networks = json!([{"uuid": cloud.network("demo", "net", 0).await}]);
    let given = json!(["9d9b0d4a-4f0c-4a8c-8f0b-0f0a6b9a0001", "b"]);
    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": networks,
        "trusted_image_certificates": given});
    let id = demo.server(body.clone()).await;
    assert_eq!(demo.wait(&id, "ACTIVE").await["trusted_image_certificates"], given);
    let old = cloud.as_("demo").at("2.62");
    old.post("/servers", json!({"server": body})).await.fault(400, "badRequest");
    let path = format!("/servers/{id}");
    assert!(old.get(&path).await.expect(200)["server"].get("trusted_image_certificates").is_none());

    let rebuild = |body: Value| json!({"rebuild": body});
    // Not a word about them: they stay.
    demo.action(&id, rebuild(json!({"imageRef": image}))).await.expect(202);
    assert_eq!(demo.wait(&id, "ACTIVE").await["trusted_image_certificates"], given);
    let other = json!(["c"]);
    let body = rebuild(json!({"imageRef": image, "trusted_image_certificates": other}));
    let shown = demo.action(&id, body).await.expect(202);
    assert_eq!(shown["server"]["trusted_image_certificates"], other);
    demo.wait(&id, "ACTIVE").await;
    let body = rebuild(json!({"imageRef": image, "trusted_image_certificates": null}));
    demo.action(&id, body).await.expect(202);
    assert_eq!(demo.wait(&id, "ACTIVE").await["trusted_image_certificates"], Value::Null);
}

#[tokio::test]
async fn a_list_that_is_remembered_is_never_old() {
    let cloud = Cloud::start().await;
    let (demo, admin) = (cloud.as_("demo"), cloud.as_(ADMIN));
    let image = cloud.image("demo").await;
    let networks = json!([{"uuid": cloud.network("demo", "net", 0).await}]);
    let id =
        demo.server(json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": networks})).await;
    demo.wait(&id, "ACTIVE").await;
    let mut known = Vec::new();
    // Each change is of another table, and each list was asked for right before it.
    for change in ["nothing", "name", "tag", "group", "network", "aggregate", "host", "delete"] {
        match change {
            "name" => {
                let body = json!({"server": {"name": "t"}});
                demo.put(&format!("/servers/{id}"), body).await.expect(200);
            }
            "tag" => assert_eq!(demo.put(&format!("/servers/{id}/tags/a"), Value::Null).await.status, 201),
            "group" => {
                let groups = demo.call("GET", "/network/v2.0/security-groups", None).await.expect(200);
                let group = groups["security_groups"][0]["id"].as_str().unwrap().to_owned();
                let ports = demo.call("GET", "/network/v2.0/ports", None).await.expect(200);
                let port = ports["ports"].as_array().unwrap().iter().find(|p| p["device_id"] == id).unwrap();
                assert_eq!(port["security_groups"], json!([group]));
                let body = json!({"port": {"security_groups": []}});
                let path = format!("/network/v2.0/ports/{}", port["id"].as_str().unwrap());
                demo.call("PUT", &path, Some(body)).await.expect(200);
            }
            "network" => {
                let path = format!("/network/v2.0/networks/{}", networks[0]["uuid"].as_str().unwrap());
                demo.call("PUT", &path, Some(json!({"network": {"name": "renamed"}}))).await.expect(200);
            }
            "aggregate" => {
                let body = json!({"aggregate": {"name": "a", "availability_zone": "east"}});
                admin.post("/os-aggregates", body).await.expect(200);
                let host = json!({"add_host": {"host": "simulated"}});
                admin.post("/os-aggregates/1/action", host).await.expect(200);
            }
            "host" => {
                let services = admin.get("/os-services").await.expect(200);
                let compute = services["services"].as_array().unwrap();
                let compute = compute.iter().find(|s| s["binary"] == "nova-compute").unwrap();
                let path = format!("/os-services/{}", compute["id"].as_str().unwrap());
                admin.put(&path, json!({"forced_down": true})).await.expect(200);
            }
            "delete" => {
                assert_eq!(demo.delete(&format!("/servers/{id}")).await.status, 204);
                demo.wait_gone(&id).await;
            }
            _ => {}
        }
        let list = admin.get("/servers/detail?all_tenants=1").await.expect(200);
        assert_eq!(list, admin.get("/servers/detail?all_tenants=1").await.expect(200));
        assert!(!known.contains(&list), "{change}: {list}");
        known.push(list);
        let names = demo.get("/servers").await.expect(200);
        assert_eq!(names["servers"].as_array().unwrap().len(), usize::from(change != "delete"));
        assert_eq!(cloud.as_("other").get("/servers").await.expect(200), json!({"servers": []}));
    }
}
