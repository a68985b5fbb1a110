//! Deleted servers that can be restored, where the operator says so.

use std::time::Duration;

use host::Hypervisor as _;
use serde_json::{Value, json};

use crate::actions::active;
use crate::cloud::{ADMIN, Cloud};

async fn ids(cloud: &Cloud, token: &'static str, query: &str) -> Vec<Value> {
    let list = cloud.as_(token).get(&format!("/servers{query}")).await.expect(200);
    list["servers"].as_array().unwrap().iter().map(|s| s["id"].clone()).collect()
}

async fn instances(cloud: &Cloud) -> Value {
    cloud.as_("demo").get("/limits").await.expect(200)["limits"]["absolute"]["totalInstancesUsed"].clone()
}

#[tokio::test]
async fn a_deleted_server_can_be_restored() {
    let cloud = Cloud::start_forgiving(Duration::from_secs(3600)).await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    demo.action(&id, json!({"restore": null})).await.fault(409, "conflictingRequest");
    let before = demo.wait(&id, "ACTIVE").await;

    assert_eq!(demo.delete(&format!("/servers/{id}")).await.status, 204);
    let gone = demo.wait(&id, "SOFT_DELETED").await;
    assert_eq!(
        (&gone["OS-EXT-STS:vm_state"], &gone["OS-EXT-STS:power_state"]),
        (&json!("soft-delete"), &json!(4))
    );
    assert_eq!(cloud.hypervisor.state(&id).await.unwrap(), host::VmState::Stopped);
    // It holds its room and its address, and does not count.
    assert_eq!(cloud.placement.usage().await.unwrap().vcpus, 1);
    assert_eq!(gone["addresses"], before["addresses"]);
    assert_eq!(instances(&cloud).await, 0);
    assert!(ids(&cloud, "demo", "").await.is_empty());
    assert!(ids(&cloud, "demo", "?soft_deleted=true").await.is_empty());
    for query in [
        "?all_tenants=1&soft_deleted=true",
        "?all_tenants=1&deleted=true",
        "?all_tenants=1&deleted=1&status=SOFT_DELETED",
    ] {
        assert_eq!(ids(&cloud, ADMIN, query).await, [json!(id)], "{query}");
    }
    let told = demo.action(&id, json!({"os-start": null})).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Cannot 'start' instance {id} while it is in vm_state soft-delete"));
    // Asked again, nothing happens.
    assert_eq!(demo.delete(&format!("/servers/{id}")).await.status, 204);
    demo.wait(&id, "SOFT_DELETED").await;

    // A place in the quota is needed for the way back.
    let quota = |n: i64| json!({"quota_set": {"instances": n}});
    cloud.as_(ADMIN).put("/os-quota-sets/demo", quota(0)).await.expect(200);
    demo.action(&id, json!({"restore": null})).await.fault(403, "forbidden");
    cloud.as_(ADMIN).put("/os-quota-sets/demo", quota(1)).await.expect(200);
    assert_eq!(cloud.as_("other").action(&id, json!({"restore": null})).await.status, 404);
    demo.action(&id, json!({"restore": null})).await.expect(202);
    let back = demo.wait(&id, "ACTIVE").await;
    assert_eq!(back["addresses"], before["addresses"]);
    assert_eq!(cloud.hypervisor.state(&id).await.unwrap(), host::VmState::Running);
    assert_eq!((instances(&cloud).await, ids(&cloud, "demo", "").await), (json!(1), vec![json!(id)]));
    let actions = demo.get(&format!("/servers/{id}/os-instance-actions")).await.expect(200);
    let names: Vec<&str> = actions["instanceActions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["action"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["restore", "delete", "create"]);
}

#[tokio::test]
async fn force_means_for_good() {
    let cloud = Cloud::start_forgiving(Duration::from_secs(3600)).await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait(&id, "SOFT_DELETED").await;
    demo.action(&id, json!({"forceDelete": null})).await.expect(202);
    demo.wait_gone(&id).await;
    assert_eq!(cloud.placement.usage().await.unwrap(), placement::Resources::default());
}

#[tokio::test]
async fn what_never_ran_is_deleted_at_once() {
    let cloud = Cloud::start_forgiving(Duration::from_secs(3600)).await;
    let demo = cloud.as_("demo");
    let network = cloud.network("demo", "net", 1).await;
    let image = cloud.image("demo").await;
    let body =
        json!({"name": "fail-start", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": network}]});
    let id = demo.server(body).await;
    demo.wait(&id, "ERROR").await;
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait_gone(&id).await;
}

#[tokio::test]
async fn its_time_runs_out() {
    let cloud = Cloud::start_forgiving(Duration::from_millis(50)).await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait_gone(&id).await;
    assert_eq!(cloud.placement.usage().await.unwrap(), placement::Resources::default());
    assert_eq!(cloud.hypervisor.state(&id).await.unwrap(), host::VmState::Absent);
}

#[tokio::test]
async fn a_resize_is_confirmed_by_the_deletion() {
    let cloud = Cloud::start_forgiving(Duration::from_secs(3600)).await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    demo.action(&id, json!({"resize": {"flavorRef": "2"}})).await.expect(202);
    demo.wait(&id, "VERIFY_RESIZE").await;
    demo.delete(&format!("/servers/{id}")).await.expect(204);
    demo.wait(&id, "SOFT_DELETED").await;
    demo.action(&id, json!({"restore": null})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    demo.action(&id, json!({"revertResize": null})).await.fault(409, "conflictingRequest");
    assert_eq!(cloud.hypervisor.plan(&id).unwrap().memory_mib, 2048);
}
