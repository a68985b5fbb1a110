//! Every action against every state: 202 or Nova's 409.

use host::Hypervisor as _;
use serde_json::{Value, json};

use crate::actions::active;
use crate::cloud::{ADMIN, Cloud};

/// (action, its name in refusals, vm_states that it is for)
fn actions(image: &str) -> Vec<(Value, &'static str, &'static [&'static str])> {
    const RUNNING: &[&str] = &["active"];
    const DISK: &[&str] = &["active", "stopped", "paused", "suspended"];
    const REMADE: &[&str] = &["active", "stopped", "error"];
    const HARD: &[&str] = &["active", "stopped", "paused", "suspended", "error"];
    vec![
        (json!({"os-start": null}), "start", &["stopped"]),
        (json!({"os-stop": null}), "stop", &["active", "error"]),
        (json!({"pause": null}), "pause", RUNNING),
        (json!({"unpause": null}), "unpause", &["paused"]),
        (json!({"suspend": null}), "suspend", RUNNING),
        (json!({"resume": null}), "resume", &["suspended"]),
        (json!({"reboot": {"type": "SOFT"}}), "reboot", RUNNING),
        (json!({"reboot": {"type": "HARD"}}), "reboot", HARD),
        (json!({"rebuild": {"imageRef": image}}), "rebuild", REMADE),
        (json!({"rescue": null}), "rescue", REMADE),
        (json!({"unrescue": null}), "unrescue", &["rescued"]),
        (json!({"resize": {"flavorRef": "2"}}), "resize", &["active", "stopped"]),
        (json!({"confirmResize": null}), "confirmResize", &["resized"]),
        (json!({"revertResize": null}), "revertResize", &["resized"]),
        (json!({"migrate": null}), "migrate", &["active", "stopped"]),
        (
            json!({"os-migrateLive": {"host": null, "block_migration": false}}),
            "os-migrateLive",
            &["active", "paused"],
        ),
        (json!({"evacuate": {}}), "evacuate", REMADE),
        (json!({"shelve": null}), "shelve", DISK),
        (json!({"shelveOffload": null}), "shelveOffload", &["shelved"]),
        (json!({"unshelve": null}), "unshelve", &["shelved", "shelved_offloaded"]),
        (json!({"createImage": {"name": "i"}}), "createImage", DISK),
        (json!({"createBackup": {"name": "i", "backup_type": "d", "rotation": 1}}), "createBackup", DISK),
        (
            json!({"trigger_crash_dump": null}),
            "trigger_crash_dump",
            &["active", "paused", "rescued", "resized", "error"],
        ),
        (json!({"changePassword": {"adminPass": "p"}}), "changePassword", RUNNING),
        (json!({"restore": null}), "restore", &[]),
    ]
}

/// Actions, and the status after each.
type Way = Vec<(Value, &'static str)>;

#[tokio::test]
async fn an_action_is_refused_in_every_state_that_it_is_not_for() {
    let cloud = Cloud::start().await;
    let (demo, admin) = (cloud.as_("demo"), cloud.as_(ADMIN));
    let id = active(&cloud, "s").await;
    let image = cloud.image("demo").await;
    // Ways from state to state, and back to ACTIVE.
    let ways: Vec<(Way, &str, Way)> = vec![
        (vec![], "active", vec![]),
        (vec![(json!({"os-stop": null}), "SHUTOFF")], "stopped", vec![(json!({"os-start": null}), "ACTIVE")]),
        (vec![(json!({"pause": null}), "PAUSED")], "paused", vec![(json!({"unpause": null}), "ACTIVE")]),
        (
            vec![(json!({"suspend": null}), "SUSPENDED")],
            "suspended",
            vec![(json!({"resume": null}), "ACTIVE")],
        ),
        (vec![(json!({"rescue": null}), "RESCUE")], "rescued", vec![(json!({"unrescue": null}), "ACTIVE")]),
        (
            vec![(json!({"resize": {"flavorRef": "2"}}), "VERIFY_RESIZE")],
            "resized",
            vec![(json!({"revertResize": null}), "ACTIVE")],
        ),
        (
            vec![(json!({"shelve": null}), "SHELVED_OFFLOADED")],
            "shelved_offloaded",
            vec![(json!({"unshelve": null}), "ACTIVE")],
        ),
        (
            vec![(json!({"os-resetState": {"state": "error"}}), "ERROR")],
            "error",
            vec![(json!({"reboot": {"type": "HARD"}}), "ACTIVE")],
        ),
    ];
    let mut refused = 0;
    for (there, state, back) in ways {
        for (action, status) in there {
            let answer = admin.action(&id, action.clone()).await;
            assert!(answer.status < 300, "{action}: {}", answer.body);
            demo.wait(&id, status).await;
        }
        for (action, name, states) in actions(&image) {
            if states.contains(&state) {
                continue;
            }
            let told = admin.action(&id, action.clone()).await.fault(409, "conflictingRequest");
            assert_eq!(
                told,
                format!("Cannot '{name}' instance {id} while it is in vm_state {state}"),
                "{action}"
            );
            refused += 1;
        }
        for (action, status) in back {
            let answer = admin.action(&id, action.clone()).await;
            assert!(answer.status < 300, "{action}: {}", answer.body);
            demo.wait(&id, status).await;
        }
    }
    assert!(refused > 120, "{refused}");
    assert_eq!(demo.get(&format!("/servers/{id}")).await.expect(200)["server"]["status"], "ACTIVE");
}

#[tokio::test]
async fn a_lock_keeps_members_from_all_but_copies() {
    let cloud = Cloud::start().await;
    let demo = cloud.as_("demo");
    let id = active(&cloud, "s").await;
    let image = cloud.image("demo").await;
    demo.action(&id, json!({"lock": null})).await.expect(202);
    let told = format!("Instance {id} is locked");
    for (action, name, states) in actions(&image) {
        let admins = ["migrate", "os-migrateLive", "evacuate", "shelveOffload"];
        let copies = ["createImage", "createBackup"];
        if !states.contains(&"active") || admins.contains(&name) || copies.contains(&name) {
            continue;
        }
        assert_eq!(demo.action(&id, action.clone()).await.fault(409, "conflictingRequest"), told, "{action}");
    }
    demo.action(&id, json!({"createImage": {"name": "i"}})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    cloud.as_(ADMIN).action(&id, json!({"pause": null})).await.expect(202);
    demo.wait(&id, "PAUSED").await;
}

#[tokio::test]
async fn foreign_servers_take_no_actions() {
    let cloud = Cloud::start().await;
    let id = active(&cloud, "s").await;
    let image = cloud.image("demo").await;
    let other = cloud.as_("other");
    for (action, ..) in actions(&image) {
        let answer = other.action(&id, action.clone()).await;
        assert!(matches!(answer.status, 403 | 404), "{action}: {}", answer.body);
        let unknown = cloud.as_(ADMIN).action(&base::id::uuid(), action.clone()).await;
        assert_eq!(unknown.status, 404, "{action}: {}", unknown.body);
    }
}

#[tokio::test]
async fn passwords_dumps_and_counters() {
    let cloud = Cloud::start().await;
    let (demo, admin) = (cloud.as_("demo"), cloud.as_(ADMIN));
    let id = active(&cloud, "s").await;
    demo.action(&id, json!({"changePassword": {"adminPass": "secret"}})).await.expect(202);
    demo.wait(&id, "ACTIVE").await;
    let log = cloud.hypervisor.console_log(&id, None).await.unwrap();
    assert!(log.contains("The password of root was changed."), "{log}");
    cloud.hypervisor.faults().fail_next(host::fake::Operation::Password, "QEMU guest agent is not enabled");
    let body = json!({"changePassword": {"adminPass": "secret"}});
    let told = demo.action(&id, body).await.fault(409, "conflictingRequest");
    assert_eq!(told, "QEMU guest agent is not enabled");
    demo.wait(&id, "ACTIVE").await;
    demo.action(&id, json!({"trigger_crash_dump": null})).await.expect(202);
    assert!(cloud.hypervisor.console_log(&id, None).await.unwrap().contains("NMI"));
    let told = cloud.as_("demo").at("2.16").action(&id, json!({"trigger_crash_dump": null})).await;
    assert_eq!(told.fault(400, "badRequest"), "There is no such action: trigger_crash_dump");

    let path = format!("/servers/{id}/diagnostics");
    demo.get(&path).await.fault(403, "forbidden");
    let new = admin.get(&path).await.expect(200);
    assert_eq!(
        (&new["num_nics"], &new["num_cpus"], &new["state"]),
        (&json!(1), &json!(1), &json!("running"))
    );
    assert_eq!(new["nic_details"].as_array().unwrap().len(), 1);
    let old = cloud.as_(ADMIN).at("2.47").get(&path).await.expect(200);
    assert_eq!(old["memory"], 512 * 1024);
    demo.action(&id, json!({"os-stop": null})).await.expect(202);
    demo.wait(&id, "SHUTOFF").await;
    let told = admin.get(&path).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Cannot 'get_diagnostics' instance {id} while it is in power state shutdown"));
}

#[tokio::test]
async fn what_does_not_migrate_alive_cannot_be_stopped_in_it() {
    let cloud = Cloud::start().await;
    let id = active(&cloud, "s").await;
    let admin = cloud.as_(ADMIN);
    let path = format!("/servers/{id}/migrations/1");
    let told = admin.delete(&path).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Cannot 'abort live migration' instance {id} while it is in task_state None"));
    let action = format!("{path}/action");
    let told = admin.post(&action, json!({"force_complete": null})).await.fault(409, "conflictingRequest");
    assert_eq!(told, format!("Cannot 'force_complete' instance {id} while it is in task_state None"));
    admin.post(&action, json!({"force_complete": {}})).await.fault(400, "badRequest");
    admin.post(&action, json!({"faster": null})).await.fault(400, "badRequest");
    cloud.as_("demo").delete(&path).await.fault(403, "forbidden");
    cloud
        .as_(ADMIN)
        .at("2.21")
        .post(&action, json!({"force_complete": null}))
        .await
        .fault(404, "itemNotFound");
    cloud.as_(ADMIN).at("2.23").delete(&path).await.fault(404, "itemNotFound");
}
