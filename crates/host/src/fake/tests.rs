use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8Path;
use tokio::time::Instant;

use super::*;
use crate::plan::{DiskLayer, DiskPlan, NetworkPlan, PortKind, PortPlan, RootDisk, VmPlan};
use crate::{Hypervisor, LayerFormat, MetadataAnswer, MetadataCaller, MetadataSource, Network, VmState};

fn vm(id: &str, name: &str) -> VmPlan {
    VmPlan {
        id: id.into(),
        name: name.into(),
        vcpus: 1,
        memory_mib: 64,
        root: Some(RootDisk { image: "/no/such/file".into(), image_format: "raw".into(), size_gib: 1 }),
        nics: Vec::new(),
        ..VmPlan::default()
    }
}

#[tokio::test]
async fn states_change_as_a_real_machines_do() {
    let host = FakeHypervisor::new(FakeOptions::default()).unwrap();
    let vm = vm("a", "web");
    assert_eq!(host.state("a").await.unwrap(), VmState::Absent);
    host.prepare(&vm).await.unwrap();
    assert_eq!(host.state("a").await.unwrap(), VmState::Stopped);
    assert!(host.pause("a").await.is_err());
    host.start(&vm).await.unwrap();
    host.start(&vm).await.unwrap();
    assert_eq!(host.state("a").await.unwrap(), VmState::Running);
    host.pause("a").await.unwrap();
    assert_eq!(host.state("a").await.unwrap(), VmState::Paused);
    host.resume("a").await.unwrap();
    host.reboot(&vm, false).await.unwrap();
    assert_eq!(host.console_log("a", None).await.unwrap().matches("Linux version").count(), 2);
    assert_eq!(host.console_log("a", Some(1)).await.unwrap(), "web login: \n");
    host.stop("a", None).await.unwrap();
    host.stop("b", None).await.unwrap();
    host.destroy("a").await.unwrap();
    host.destroy("a").await.unwrap();
    assert!(host.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_disk_switches_and_grows_under_a_running_machine_only() {
    let host = FakeHypervisor::new(FakeOptions::default()).unwrap();
    let layer = |name: &str| DiskLayer { file: name.into(), format: LayerFormat::Qcow2, encrypted: false };
    let mut disk = DiskPlan { id: "d".into(), layers: vec![layer("one")], ..DiskPlan::default() };
    let vm = VmPlan { root: None, disks: vec![disk.clone()], ..vm("a", "web") };
    host.prepare(&vm).await.unwrap();
    disk.layers.push(layer("two"));
    host.switch_disk("a", &disk).await.unwrap();
    assert!(!host.grow_disk("a", &disk, 2).await.unwrap());
    assert_eq!((host.plan("a").unwrap().disks[0].layers.len(), host.grown("a", "d")), (1, None));
    host.start(&vm).await.unwrap();
    host.switch_disk("a", &disk).await.unwrap();
    assert!(host.grow_disk("a", &disk, 2).await.unwrap());
    assert!(host.grow_disk("a", &disk, 1).await.unwrap());
    assert_eq!((host.plan("a").unwrap().disks[0].layers.len(), host.grown("a", "d")), (2, Some(2)));
    let other = DiskPlan { id: "e".into(), ..disk.clone() };
    assert!(!host.grow_disk("a", &other, 1).await.unwrap());
    host.faults().fail_next(Operation::SwitchDisk, "no");
    assert!(host.switch_disk("a", &disk).await.is_err());
    host.unplug_disk("a", "d").await.unwrap();
    assert_eq!(host.grown("a", "d"), None);
}

#[tokio::test(start_paused = true)]
async fn failures_and_delays_are_on_demand() {
    let host = FakeHypervisor::new(FakeOptions::default()).unwrap();
    let vm = vm("a", "web");
    host.faults().fail_next(Operation::Start, "no more memory");
    assert_eq!(host.start(&vm).await.unwrap_err().to_string(), "no more memory");
    assert_eq!(host.state("a").await.unwrap(), VmState::Stopped);
    host.faults().set_delay(Operation::Start, Duration::from_secs(9));
    let before = Instant::now();
    host.start(&vm).await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(9));

    let named = self::vm("b", "job-fail-start-1");
    host.prepare(&named).await.unwrap();
    let error = host.start(&named).await.unwrap_err().to_string();
    assert_eq!(error, "start failed, as the name `job-fail-start-1` asks for");
}

#[tokio::test(start_paused = true)]
async fn rules_are_about_calls_or_machines_and_are_spent() {
    let host = FakeHypervisor::new(FakeOptions::default()).unwrap();
    let (web, other) = (vm("a", "web"), vm("b", "other"));
    let rule: Fault = serde_json::from_str(
        r#"{"operation": "spawn", "id": "a", "delay_ms": 2000, "error": "a hiccup", "passing": true, "times": 1}"#,
    )
    .unwrap();
    host.faults().set(vec![rule]);
    host.start(&other).await.unwrap();
    let before = Instant::now();
    assert!(matches!(host.start(&web).await, Err(crate::Error::Monitor(text)) if text == "a hiccup"));
    assert_eq!(before.elapsed(), Duration::from_secs(2));
    assert_eq!(host.faults().rules(), Vec::new());
    host.start(&web).await.unwrap();
    assert!(serde_json::from_str::<Fault>(r#"{"operation": "fly"}"#).is_err());
    host.faults().add(Fault { error: Some("never".into()), ..Fault::default() });
    assert!(host.stop("a", None).await.is_err());
    host.faults().clear();
    host.stop("a", None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_servers_metadata_orders_failures_and_delays() {
    let host = FakeHypervisor::new(FakeOptions::default()).unwrap();
    let mut vm = vm("a", "web");
    vm.hints = [("simulate:fail-stop", "stuck"), ("simulate:delay", "1000"), ("simulate:delay-stop", "7000")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let before = Instant::now();
    host.start(&vm).await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(1));
    assert_eq!(host.stop("a", None).await.unwrap_err().to_string(), "stuck");
    assert_eq!(before.elapsed(), Duration::from_secs(8));
    vm.hints.clear();
    host.start(&vm).await.unwrap();
    host.stop("a", None).await.unwrap();
}

#[tokio::test]
async fn an_end_nobody_asked_for_is_told() {
    let host = FakeHypervisor::new(FakeOptions::default()).unwrap();
    host.start(&vm("a", "web")).await.unwrap();
    let mut changes = host.changes();
    host.end("a").unwrap();
    assert_eq!(changes.recv().await.unwrap(), "a");
    assert_eq!(host.state("a").await.unwrap(), VmState::Stopped);
    assert!(host.end("b").is_err());
}

#[tokio::test]
async fn machines_outlive_the_driver() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = Utf8Path::from_path(dir.path()).map(Utf8Path::to_owned);
    let options = FakeOptions { data_dir, ..FakeOptions::default() };
    let host = FakeHypervisor::new(options.clone()).unwrap();
    for number in 0..2000 {
        host.start(&vm(&format!("id-{number:04}"), "web")).await.unwrap();
    }
    host.pause("id-0007").await.unwrap();
    host.destroy("id-0008").await.unwrap();
    drop(host);
    let host = FakeHypervisor::new(options).unwrap();
    assert_eq!(host.list().await.unwrap().len(), 1999);
    assert_eq!(host.state("id-0001").await.unwrap(), VmState::Running);
    assert_eq!(host.state("id-0007").await.unwrap(), VmState::Paused);
    assert_eq!(host.state("id-0008").await.unwrap(), VmState::Absent);
    assert!(host.console_log("id-0001", None).await.unwrap().contains("login:"));
}

struct Echo;

#[async_trait]
impl MetadataSource for Echo {
    async fn get(&self, caller: &MetadataCaller, path: &str) -> Option<MetadataAnswer> {
        let body = format!("{} {path}", caller.port_id).into_bytes();
        path.starts_with("/openstack").then_some(MetadataAnswer { content_type: "text/plain", body })
    }
}

#[tokio::test]
async fn equal_plans_change_nothing_and_guests_get_metadata_by_their_address() {
    let network = FakeNetwork::default();
    let address: IpAddr = "10.0.0.5".parse().unwrap();
    let port = PortPlan {
        id: "port".into(),
        mac: "fa:16:3e:00:00:01".into(),
        fixed_ips: vec![("subnet".into(), address)],
        hostname: "web".into(),
        kind: PortKind::Vm,
        admin_up: true,
        port_security: true,
        ..PortPlan::default()
    };
    let plan = NetworkPlan { id: "net".into(), mtu: 1500, ports: vec![port], ..NetworkPlan::default() };
    network.apply_network(&plan).await.unwrap();
    network.apply_network(&plan).await.unwrap();
    assert_eq!(network.changes(), 1);
    assert_eq!(network.network("net"), Some(plan));
    assert!(network.metadata("net", address, "/openstack").await.is_none(), "nobody answers yet");

    network.serve_metadata(Arc::new(Echo));
    let answer = network.metadata("net", address, "/openstack").await.unwrap();
    assert_eq!(answer.body, b"port /openstack");
    assert!(network.metadata("net", "10.0.0.6".parse().unwrap(), "/openstack").await.is_none());
    assert!(network.metadata("net", address, "/latest").await.is_none());
    network.remove_network("net").await.unwrap();
    assert!(network.list().await.unwrap().networks.is_empty());
}
