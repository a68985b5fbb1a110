//! What happens to machines: power, failures, deletion, restarts of the daemon.

use std::time::Duration;

use host::Hypervisor as _;
use host::fake::Operation;
use serde_json::{Value, json};

use crate::cloud::{ADMIN, Cloud};

async fn active(cloud: &Cloud, name: &str) -> String {
    let image = cloud.image("demo").await;
    let demo = cloud.as_("demo");
    let id =
        demo.server(json!({"name": name, "imageRef": image, "flavorRef": "42", "networks": "none"})).await;
    demo.wait(&id, "ACTIVE").await;
    id
}

#[tokio::test]
async fn stop_start_reboot_pause_and_back() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let conflict = demo.action(&id, json!({"os-start": null})).await.fault(409, "conflictingRequest");
    assert_eq!(conflict, format!("Cannot 'start' instance {id} while it is in vm_state active"));
    for (action, status) in [
        (json!({"os-stop": null}), "SHUTOFF"),
        (json!({"os-start": null}), "ACTIVE"),
        (json!({"reboot": {"type": "SOFT"}}), "ACTIVE"),
        (json!({"pause": null}), "PAUSED"),
        (json!({"unpause": null}), "ACTIVE"),
        (json!({"os-stop": null}), "SHUTOFF"),
        (json!({"reboot": {"type": "HARD"}}), "ACTIVE"),
    ] {
        assert_eq!(demo.action(&id, action.clone()).await.status, 202, "{action}");
        demo.wait(&id, status).await;
    }
    assert_eq!(cloud.hypervisor.state(&id).await.unwrap(), host::VmState::Running);
    let told = demo.action(&id, json!({"unknown": null})).await.fault(400, "badRequest");
    assert_eq!(told, "There is no such action: unknown");
    let told = demo.action(&id, json!({"reboot": {"type": "MAYBE"}})).await.fault(400, "badRequest");
    assert!(told.contains("'MAYBE' is not one of"), "{told}");
    let actions = demo.get(&format!("/servers/{id}/os-instance-actions")).await.expect(200);
    let list = actions["instanceActions"].as_array().unwrap();
    assert_eq!(list.len(), 8);
    assert_eq!(list[7]["action"], "create");
    let request = list[0]["request_id"].as_str().unwrap();
    let one = demo.get(&format!("/servers/{id}/os-instance-actions/{request}")).await.expect(200);
    assert_eq!(one["instanceAction"]["events"][0]["result"], "Success");
}

#[tokio::test]
async fn one_task_at_a_time_but_deletion_wins() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    cloud.hypervisor.faults().set_delay(Operation::Stop, Duration::from_secs(30));
    demo.action(&id, json!({"os-stop": null})).await.expect(202);
    let conflict = demo.action(&id, json!({"os-stop": null})).await.fault(409, "conflictingRequest");
    assert_eq!(conflict, format!("Cannot 'stop' instance {id} while it is in task_state powering-off"));
    // The guest takes its time to shut down; nobody waits for it any more.
    assert_eq!(demo.delete(&format!("/servers/{id}")).await.status, 204);
    tokio::time::timeout(Duration::from_secs(10), demo.wait_gone(&id)).await.unwrap();
    assert_eq!(cloud.hypervisor.list().await.unwrap(), Vec::<String>::new());
    let deleted = cloud.as_(ADMIN).get("/servers/detail?all_tenants=1&deleted=true").await.expect(200);
    assert_eq!(deleted["servers"][0]["status"], "DELETED");
    demo.get(&format!("/servers/{id}/os-instance-actions")).await.expect(200);
}

#[tokio::test]
async fn a_lasting_failure_is_an_error_with_its_reason_and_holds_nothing() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let body =
        json!({"name": "fail-start", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network}]});
    let id = demo.server(body).await;
    let server = demo.wait(&id, "ERROR").await;
    assert_eq!(server["fault"]["code"], 500);
    assert_eq!(server["fault"]["message"], "start failed, as the name `fail-start` asks for");
    assert_eq!(cloud.hypervisor.list().await.unwrap(), Vec::<String>::new());
    assert_eq!(cloud.placement.usage().await.unwrap(), placement::Resources::default());
    assert_eq!(compute_ports(&cloud).await, 0);
    assert_eq!(demo.delete(&format!("/servers/{id}")).await.status, 204);
    demo.wait_gone(&id).await;
}

async fn compute_ports(cloud: &Cloud) -> usize {
    let path = "/network/v2.0/ports?device_owner=compute:nova";
    let ports = cloud.as_("demo").call("GET", path, None).await.expect(200);
    ports["ports"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_does_not_fit_finds_no_valid_host() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let image = cloud.image("demo").await;
    let huge = json!({"flavor": {"name": "huge", "id": "h", "ram": 64, "vcpus": 1, "disk": 2_000_000}});
    cloud.as_(ADMIN).post("/flavors", huge).await.expect(200);
    let id = demo.server(json!({"name": "s", "imageRef": image, "flavorRef": "h", "networks": "none"})).await;
    let server = demo.wait(&id, "ERROR").await;
    let told = "No valid host was found. There are not enough hosts available.";
    assert_eq!(server["fault"]["message"], told);
    assert!(server["fault"].get("details").is_none(), "details are for admins");
    assert_eq!(server["OS-EXT-AZ:availability_zone"], "");
}

#[tokio::test]
async fn anti_affinity_allows_one_member_on_the_one_host() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let image = cloud.image("demo").await;
    let group = json!({"server_group": {"name": "g", "policy": "anti-affinity"}});
    let group = demo.post("/os-server-groups", group).await.expect(200);
    let group = group["server_group"]["id"].as_str().unwrap();
    let body = json!({
        "server": {"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"},
        "os:scheduler_hints": {"group": group},
    });
    let make = async || {
        let made = demo.post("/servers", body.clone()).await.expect(202);
        made["server"]["id"].as_str().unwrap().to_owned()
    };
    let first = make().await;
    demo.wait(&first, "ACTIVE").await;
    let second = make().await;
    let refused = demo.wait(&second, "ERROR").await;
    assert!(refused["fault"]["message"].as_str().unwrap().starts_with("No valid host was found."));
    assert_eq!(refused["server_groups"], json!([group]));
    demo.delete(&format!("/servers/{first}")).await.expect(204);
    demo.wait_gone(&first).await;
    demo.wait(&make().await, "ACTIVE").await;
    let unknown = json!({
        "server": {"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"},
        "os:scheduler_hints": {"group": base::id::uuid()},
    });
    demo.post("/servers", unknown).await.fault(400, "badRequest");
}

#[tokio::test]
async fn a_guest_that_powers_off_is_shutoff() {
    let cloud = Cloud::start().await;
    let id = active(&cloud, "s").await;
    cloud.hypervisor.end(&id).unwrap();
    let server = cloud.as_("demo").wait(&id, "SHUTOFF").await;
    assert_eq!(server["OS-EXT-STS:power_state"], 4);
}

#[tokio::test]
async fn after_down_the_running_ones_run_again_and_the_others_do_not() {
    let cloud = Cloud::start().await;
    let (on, off) = (active(&cloud, "on").await, active(&cloud, "off").await);
    cloud.as_("demo").action(&off, json!({"os-stop": null})).await.expect(202);
    cloud.as_("demo").wait(&off, "SHUTOFF").await;
    cloud.nova.quiesce().await.unwrap();
    assert_eq!(cloud.hypervisor.state(&on).await.unwrap(), host::VmState::Stopped);
    let (dir, hypervisor, network) = (cloud.dir.clone(), cloud.hypervisor.clone(), cloud.network.clone());
    drop(cloud);
    let cloud = Cloud::start_on(dir, hypervisor, network).await;
    for _ in 0..1000 {
        if cloud.hypervisor.state(&on).await.unwrap() == host::VmState::Running {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cloud.as_("demo").wait(&on, "ACTIVE").await;
    cloud.as_("demo").wait(&off, "SHUTOFF").await;
    assert_eq!(cloud.hypervisor.state(&on).await.unwrap(), host::VmState::Running);
    assert_eq!(cloud.hypervisor.state(&off).await.unwrap(), host::VmState::Stopped);
}

#[tokio::test]
async fn a_stray_machine_is_removed() {
    let cloud = Cloud::start().await;
    let id = active(&cloud, "s").await;
    let stray = host::plan::VmPlan { id: base::id::uuid(), ..cloud.hypervisor.plan(&id).unwrap() };
    cloud.hypervisor.start(&stray).await.unwrap();
    let (dir, hypervisor, network) = (cloud.dir.clone(), cloud.hypervisor.clone(), cloud.network.clone());
    drop(cloud);
    let cloud = Cloud::start_on(dir, hypervisor, network).await;
    for _ in 0..1000 {
        if cloud.hypervisor.list().await.unwrap() == [id.clone()] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the stray stays");
}

#[tokio::test]
async fn locks_keep_members_out() {
    let cloud = Cloud::start().await;
    let (demo, admin) = (cloud.as_("demo"), cloud.as_(ADMIN));
    let id = active(&cloud, "s").await;
    demo.action(&id, json!({"lock": {"locked_reason": "mine"}})).await.expect(202);
    let server = demo.get(&format!("/servers/{id}")).await.expect(200);
    assert_eq!(
        (&server["server"]["locked"], &server["server"]["locked_reason"]),
        (&json!(true), &json!("mine"))
    );
    let told = demo.delete(&format!("/servers/{id}")).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Instance {id} is locked"));
    demo.action(&id, json!({"unlock": null})).await.expect(202);
    admin.action(&id, json!({"lock": null})).await.expect(202);
    demo.action(&id, json!({"unlock": null})).await.fault(403, "forbidden");
    admin.action(&id, json!({"os-stop": null})).await.expect(202);
    demo.wait(&id, "SHUTOFF").await;
}

#[tokio::test]
async fn an_admin_resets_the_state() {
    let cloud = Cloud::start().await;
    let id = active(&cloud, "s").await;
    let demo = cloud.as_("demo");
    demo.action(&id, json!({"os-resetState": {"state": "error"}})).await.fault(403, "forbidden");
    cloud.as_(ADMIN).action(&id, json!({"os-resetState": {"state": "error"}})).await.expect(202);
    demo.wait(&id, "ERROR").await;
    demo.action(&id, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
}

#[tokio::test]
async fn a_given_port_outlives_its_server() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let (image, network) = (cloud.image("demo").await, cloud.network("demo", "net", 0).await);
    let port = json!({"port": {"network_id": network, "name": "mine"}});
    let port = demo.call("POST", "/network/v2.0/ports", Some(port)).await.expect(201)["port"]["id"].take();
    let networks = json!([{"port": port}, {"uuid": network}]);
    let id =
        demo.server(json!({"name": "s", "imageRef": image, "flavorRef": "42", "networks": networks})).await;
    demo.wait(&id, "ACTIVE").await;
    let nics: Vec<Value> =
        cloud.hypervisor.plan(&id).unwrap().nics.iter().map(|n| json!(n.port_id)).collect();
    assert_eq!((nics.len(), &nics[0]), (2, &port));
    let again =
        json!({"server": {"name": "t", "imageRef": image, "flavorRef": "42", "networks": [{"port": port}]}});
    let told = demo.post("/servers", again).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Port {} is still in use.", port.as_str().unwrap()));
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait_gone(&id).await;
    let ports =
        demo.call("GET", &format!("/network/v2.0/ports?network_id={network}"), None).await.expect(200);
    let left: Vec<&Value> =
        ports["ports"].as_array().unwrap().iter().filter(|p| p["device_owner"] != "network:dhcp").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((&left[0]["id"], &left[0]["device_id"]), (&port, &json!("")));
}
