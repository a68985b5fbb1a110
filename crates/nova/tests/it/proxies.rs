//! Nova's oldest calls: other services' things in its own words, and those that are gone for good.

use serde_json::{Value, json};

use crate::cloud::{ADMIN, Cloud};

/// An external network; its id.
async fn public(cloud: &Cloud) -> String {
    let admin = cloud.as_(ADMIN);
    let body = json!({"network": {"name": "public", "router:external": true}});
    let network = admin.call("POST", "/network/v2.0/networks", Some(body)).await.expect(201);
    let id = network["network"]["id"].as_str().unwrap().to_owned();
    let subnet = json!({"subnet": {
        "network_id": id, "ip_version": 4, "cidr": "172.24.4.0/24", "enable_dhcp": false,
    }});
    admin.call("POST", "/network/v2.0/subnets", Some(subnet)).await.expect(201);
    id
}

async fn joined(cloud: &Cloud, network: &str, public: &str) {
    let demo = cloud.as_("demo");
    let body = json!({"router": {"name": "r", "external_gateway_info": {"network_id": public}}});
    let router = demo.call("POST", "/network/v2.0/routers", Some(body)).await.expect(201);
    let subnets =
        demo.call("GET", &format!("/network/v2.0/subnets?network_id={network}"), None).await.expect(200);
    let path =
        format!("/network/v2.0/routers/{}/add_router_interface", router["router"]["id"].as_str().unwrap());
    let subnet = json!({"subnet_id": subnets["subnets"][0]["id"]});
    demo.call("PUT", &path, Some(subnet)).await.expect(200);
}

#[tokio::test]
async fn floating_ips_come_from_pools_and_lead_to_servers() {
    let cloud = Cloud::start().await;
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let public = public(&cloud).await;
    joined(&cloud, &network, &public).await;
    let demo = cloud.as_("demo").at("2.35");
    let pools = demo.get("/os-floating-ip-pools").await.expect(200);
    assert_eq!(pools["floating_ip_pools"], json!([{"name": "public"}]));
    let message = demo.post("/os-floating-ips", json!({"pool": "none"})).await.fault(404, "itemNotFound");
    assert_eq!(message, "Floating IP pool not found.");
    let made = demo.post("/os-floating-ips", json!({"pool": "public"})).await.expect(200);
    let floating = &made["floating_ip"];
    assert_eq!((&floating["pool"], &floating["instance_id"]), (&json!("public"), &Value::Null));
    let (id, ip) = (floating["id"].as_str().unwrap(), floating["ip"].as_str().unwrap());

    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}]});
    let server = demo.server(body).await;
    demo.wait(&server, "ACTIVE").await;
    let add = json!({"addFloatingIp": {"address": ip}});
    demo.action(&server, add.clone()).await.expect(202);
    let list = demo.get("/os-floating-ips").await.expect(200);
    assert_eq!(list["floating_ips"][0]["instance_id"], *server);
    let shown = demo.get(&format!("/os-floating-ips/{id}")).await.expect(200);
    assert_eq!(shown["floating_ip"], list["floating_ips"][0]);
    // A second one of the same network for the same address.
    let second = demo.post("/os-floating-ips", json!({})).await.expect(200);
    let other = json!({"addFloatingIp": {"address": second["floating_ip"]["ip"]}});
    demo.action(&server, other).await.fault(400, "badRequest");
    let nowhere = json!({"addFloatingIp": {"address": "0.0.0.0"}});
    assert_eq!(demo.action(&server, nowhere).await.fault(404, "itemNotFound"), "floating IP not found");
    cloud.as_("demo").at("2.44").action(&server, add).await.fault(404, "itemNotFound");

    let remove = json!({"removeFloatingIp": {"address": ip}});
    demo.action(&server, remove.clone()).await.expect(202);
    demo.action(&server, remove).await.fault(409, "conflictingRequest");
    cloud.as_("other").at("2.35").get(&format!("/os-floating-ips/{id}")).await.fault(404, "itemNotFound");
    demo.delete(&format!("/os-floating-ips/{id}")).await.expect(202);
    demo.delete(&format!("/os-floating-ips/{id}")).await.fault(404, "itemNotFound");
    demo.get("/os-floating-ips/1").await.fault(400, "badRequest");
    cloud.as_("demo").at("2.36").get("/os-floating-ips").await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn security_groups_and_their_rules() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo").at("2.1");
    let list = demo.get("/os-security-groups").await.expect(200);
    assert_eq!(list["security_groups"][0]["name"], "default");
    let body = json!({"security_group": {"name": "web", "description": "d"}});
    let made = demo.post("/os-security-groups", body.clone()).await.expect(200)["security_group"].take();
    assert_eq!((&made["rules"], &made["tenant_id"]), (&json!([]), &json!("demo")));
    let id = made["id"].as_str().unwrap();
    let bad = json!({"security_group": {"name": "x".repeat(256), "description": "d"}});
    demo.post("/os-security-groups", bad).await.fault(400, "badRequest");

    let rule = |from: i64| {
        json!({"security_group_rule": {
            "parent_group_id": id, "ip_protocol": "tcp", "from_port": from, "to_port": 80, "cidr": "10.0.0.0/8",
        }})
    };
    let made =
        demo.post("/os-security-group-rules", rule(22)).await.expect(200)["security_group_rule"].take();
    assert_eq!(
        (&made["ip_protocol"], &made["from_port"], &made["ip_range"], &made["group"]),
        (&json!("tcp"), &json!(22), &json!({"cidr": "10.0.0.0/8"}), &json!({}))
    );
    demo.post("/os-security-group-rules", rule(22)).await.fault(400, "badRequest");
    demo.post("/os-security-group-rules", rule(99)).await.fault(400, "badRequest");
    let shown = demo.get(&format!("/os-security-groups/{id}")).await.expect(200);
    assert_eq!(shown["security_group"]["rules"], json!([made]));
    let path = format!("/os-security-group-rules/{}", made["id"].as_str().unwrap());
    demo.delete(&path).await.expect(202);
    demo.delete(&path).await.fault(404, "itemNotFound");

    let rename = json!({"security_group": {"name": "web2", "description": "e"}});
    let renamed = demo.put(&format!("/os-security-groups/{id}"), rename).await.expect(200);
    assert_eq!(renamed["security_group"]["name"], "web2");
    cloud.as_("other").at("2.1").get(&format!("/os-security-groups/{id}")).await.fault(404, "itemNotFound");
    demo.get("/os-security-groups/1").await.fault(400, "badRequest");
    demo.delete(&format!("/os-security-groups/{id}")).await.expect(202);
    demo.delete(&format!("/os-security-groups/{id}")).await.fault(404, "itemNotFound");
    cloud.as_("demo").at("2.36").post("/os-security-groups", body).await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn images_and_their_metadata() {
    let cloud = Cloud::start().await;
    let id = cloud.image("demo").await;
    let demo = cloud.as_("demo").at("2.35");
    let shown = demo.get(&format!("/images/{id}")).await.expect(200)["image"].take();
    assert_eq!(
        (&shown["status"], &shown["progress"], &shown["OS-EXT-IMG-SIZE:size"], &shown["metadata"]),
        (&json!("ACTIVE"), &json!(100), &json!(1 << 20), &json!({}))
    );
    let metadata = format!("/images/{id}/metadata");
    demo.put(&metadata, json!({"metadata": {"os_version": "1", "gone": "x"}})).await.expect(200);
    demo.post(&metadata, json!({"metadata": {"os_version": "2"}})).await.expect(200);
    demo.put(&format!("{metadata}/arch"), json!({"meta": {"arch": "arm"}})).await.expect(200);
    demo.put(&format!("{metadata}/arch"), json!({"meta": {"other": "arm"}})).await.fault(400, "badRequest");
    demo.delete(&format!("{metadata}/gone")).await.expect(204);
    demo.delete(&format!("{metadata}/gone")).await.fault(404, "itemNotFound");
    let all = demo.get(&metadata).await.expect(200);
    assert_eq!(all, json!({"metadata": {"arch": "arm", "os_version": "2"}}));
    let one = demo.get(&format!("{metadata}/arch")).await.expect(200);
    assert_eq!(one, json!({"meta": {"arch": "arm"}}));

    let count = async |query: &str| {
        let list = demo.get(&format!("/images/detail?{query}")).await.expect(200);
        list["images"].as_array().unwrap().len()
    };
    assert_eq!(count("name=tiny").await, 1);
    assert_eq!(count("name=other").await, 0);
    assert_eq!(count("status=ACTIVE&property-arch=arm").await, 1);
    assert_eq!(count("changes-since=2999-01-01T00:00:00Z").await, 0);
    assert_eq!(count(&format!("marker={id}")).await, 0);
    demo.get("/images?marker=none").await.fault(400, "badRequest");
    demo.get(&format!("/images/{}", base::id::uuid())).await.fault(404, "itemNotFound");
    cloud.as_("demo").at("2.36").get("/images").await.fault(404, "itemNotFound");
    cloud.as_("demo").at("2.38").get(&metadata).await.expect(200);
    cloud.as_("demo").at("2.39").get(&metadata).await.fault(404, "itemNotFound");
    cloud.as_("other").at("2.1").delete(&format!("/images/{id}")).await.fault(404, "itemNotFound");
    demo.delete(&format!("/images/{id}")).await.expect(204);
    demo.delete(&format!("/images/{id}")).await.fault(404, "itemNotFound");
}

#[tokio::test]
async fn networks_in_two_old_shapes() {
    let cloud = Cloud::start().await;
    let id = cloud.network("demo", "net", 0).await;
    let demo = cloud.as_("demo").at("2.1");
    let list = demo.get("/os-tenant-networks").await.expect(200);
    assert_eq!(list["networks"], json!([{"id": id, "cidr": "None", "label": "net"}]));
    let shown = demo.get(&format!("/os-networks/{id}")).await.expect(200);
    assert_eq!((&shown["network"]["label"], shown["network"].get("host")), (&json!("net"), None));
    let admin = cloud.as_(ADMIN).at("2.1").get(&format!("/os-networks/{id}")).await.expect(200);
    assert_eq!(admin["network"].get("host"), Some(&Value::Null));
    cloud.as_("other").at("2.1").get(&format!("/os-networks/{id}")).await.fault(404, "itemNotFound");
    demo.post("/os-networks", json!({})).await.fault(410, "computeFault");
}

#[tokio::test]
async fn the_host_as_it_was_shown_before_hypervisors() {
    let cloud = Cloud::start().await;
    let admin = cloud.as_(ADMIN).at("2.42");
    let hosts = admin.get("/os-hosts").await.expect(200);
    let services: Vec<&str> =
        hosts["hosts"].as_array().unwrap().iter().map(|h| h["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["conductor", "scheduler", "compute"]);
    let zoned = admin.get("/os-hosts?zone=nova").await.expect(200);
    assert_eq!(zoned["hosts"], json!([{"host_name": "simulated", "service": "compute", "zone": "nova"}]));
    let one = admin.get("/os-hosts/simulated").await.expect(200);
    assert_eq!(one["host"][0]["resource"]["project"], "(total)");
    assert_eq!(one["host"][0]["resource"]["cpu"], 4096);
    admin.get("/os-hosts/none").await.fault(404, "itemNotFound");
    admin.get("/os-hosts/simulated/reboot").await.fault(501, "notImplemented");
    admin.put("/os-hosts/simulated", json!({})).await.fault(400, "badRequest");
    admin.put("/os-hosts/none", json!({"status": "enable"})).await.fault(404, "itemNotFound");
    cloud.as_("demo").at("2.1").get("/os-hosts").await.fault(403, "forbidden");
    cloud.as_(ADMIN).at("2.43").get("/os-hosts").await.fault(404, "itemNotFound");
    let logs = admin.get("/os-instance_usage_audit_log").await.expect(200);
    assert_eq!(logs["instance_usage_audit_logs"]["num_hosts"], 1);
    let path = "/os-instance_usage_audit_log/2026-01-31%2012:00:00";
    let log = admin.get(path).await.expect(200)["instance_usage_audit_log"].take();
    assert_eq!(
        (&log["period_beginning"], &log["period_ending"]),
        (&json!("2025-12-01 00:00:00"), &json!("2026-01-01 00:00:00"))
    );
    admin.get("/os-instance_usage_audit_log/never").await.fault(400, "badRequest");
}

#[tokio::test]
async fn each_event_tells_its_own_fate() {
    let cloud = Cloud::start().await;
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let demo = cloud.as_("demo");
    let body = json!({"name": "s", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}]});
    let server = demo.server(body).await;
    demo.wait(&server, "ACTIVE").await;
    let admin = cloud.as_(ADMIN);
    let event = |name: &str, id: &str| json!({"name": name, "server_uuid": id});
    let good = json!({"events": [event("network-changed", &server)]});
    let answer = admin.post("/os-server-external-events", good.clone()).await.expect(200);
    assert_eq!(
        (&answer["events"][0]["code"], &answer["events"][0]["status"]),
        (&json!(200), &json!("completed"))
    );
    let mixed = json!({"events": [
        event("network-changed", &server), event("volume-extended", &server),
        event("network-changed", &base::id::uuid()),
    ]});
    let answer = admin.post("/os-server-external-events", mixed).await.expect(207);
    let codes: Vec<i64> =
        answer["events"].as_array().unwrap().iter().map(|e| e["code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [200, 400, 404]);
    demo.post("/os-server-external-events", good).await.fault(403, "forbidden");
    let early = json!({"events": [event("power-update", &server)]});
    cloud.as_(ADMIN).at("2.75").post("/os-server-external-events", early).await.fault(400, "badRequest");
}

#[tokio::test]
async fn what_is_gone_says_so() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo").at("2.1");
    for path in ["/os-cells", "/os-fping", "/os-cloudpipe", "/os-certificates/root", "/servers/x/consoles"] {
        demo.get(path).await.fault(410, "computeFault");
    }
    let extensions = demo.get("/extensions").await.expect(200);
    assert!(extensions["extensions"].as_array().unwrap().iter().any(|e| e["name"] == "Hosts"));
    assert_eq!(demo.get("/extensions/os-consoles").await.expect(200)["extension"]["alias"], "os-consoles");
    demo.get("/extensions/none").await.fault(404, "itemNotFound");
    let snapshot = json!({"snapshot": {
        "volume_id": "v", "create_info": {"snapshot_id": "s", "type": "qcow2", "new_file": "f"},
    }});
    let admin = cloud.as_(ADMIN);
    admin.post("/os-assisted-volume-snapshots", snapshot).await.fault(400, "badRequest");
    admin.delete("/os-assisted-volume-snapshots/s").await.fault(400, "badRequest");
}
