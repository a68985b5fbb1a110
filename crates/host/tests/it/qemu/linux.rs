//! A real Linux guest with a network card, from the tiny image if it has been built on this machine.

use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use camino::Utf8PathBuf;
use host::Hypervisor;
use host::link::open_tap;
use host::names::{self, NetnsName};
use host::plan::{NicPlan, RootDisk};
use host::qemu::{QemuHypervisor, TapSource};

use super::{House, ID, until};

const SECOND: &str = "8c1c2d3e-52a7-4a2b-9d0f-0a63b6c4a002";
const PORT: &str = "7b1c2d3e-52a7-4a2b-9d0f-0a63b6c4a002";

/// None, said aloud, when it has not been built here.
pub fn tiny_image() -> Option<Utf8PathBuf> {
    let home = Utf8PathBuf::from(std::env::var("HOME").unwrap());
    let image = home.join(".cache/cumulet/images/tiny.qcow2").canonicalize_utf8().ok();
    if image.is_none() {
        eprintln!("SKIPPED: the tiny image has not been built here");
    }
    image
}

/// A namespace with a bridge, gone with this value.
struct Cable {
    namespace: NetnsName,
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Cable {
    fn new() -> Self {
        let namespace = NetnsName::network(&format!("cutest{}", std::process::id()), ID);
        ip(&["netns", "add", namespace.as_str()]);
        let cable = Self { namespace };
        cable.ip(&["link", "add", names::BRIDGE, "type", "bridge"]);
        cable.ip(&["link", "set", names::BRIDGE, "up"]);
        cable
    }

    fn ip(&self, arguments: &[&str]) -> String {
        ip(&[&["-n", self.namespace.as_str()], arguments].concat())
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        drop(Command::new("ip").args(["netns", "del", self.namespace.as_str()]).status());
    }
}

struct Taps(NetnsName);

#[async_trait]
impl TapSource for Taps {
    async fn open_tap(&self, nic: &NicPlan) -> host::Result<OwnedFd> {
        open_tap(&self.0, &nic.port_id, nic.mtu).await
    }
}

#[tokio::test]
async fn linux_boots_reads_its_config_drive_speaks_on_its_tap_and_obeys_the_power_button() {
    let Some(house) = House::new() else { return };
    let Some(image) = tiny_image() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: taps need root");
        return;
    }
    let cable = Cable::new();
    let taps = Arc::new(Taps(cable.namespace.clone()));
    let host = QemuHypervisor::new(house.options(), taps).await.unwrap();
    let mut vm = house.vm();
    vm.memory_mib = 128;
    vm.root = Some(RootDisk { image, image_format: "qcow2".into(), size_gib: 1 });
    vm.nics = vec![NicPlan {
        port_id: PORT.into(),
        network_id: ID.into(),
        mac: "fa:16:3e:0a:0b:0c".into(),
        mtu: 1442,
    }];
    let metadata = format!(r#"{{"uuid": "{ID}", "name": "boat", "hostname": "boat.example"}}"#);
    let files = [("openstack/latest/meta_data.json".to_owned(), metadata.into_bytes())];
    vm.config_drive = Some(files.into());

    let start = Instant::now();
    host.start(&vm).await.unwrap();
    let link = cable.ip(&["-d", "link", "show", &names::tap(PORT)]);
    assert!(link.contains("mtu 1442") && link.contains("master br0"), "{link}");
    let log = until("a login prompt", async || {
        let log = host.console_log(ID, None).await.unwrap();
        log.contains("boat login:").then_some(log)
    })
    .await;
    println!("power-on to login: {:?}", start.elapsed());
    assert!(log.contains("Linux version"), "{log}");
    until("a frame from the guest", async || {
        let text = cable.ip(&["-s", "-j", "link", "show", &names::tap(PORT)]);
        let links: serde_json::Value = serde_json::from_str(&text).unwrap();
        links[0]["stats64"]["rx"]["packets"].as_u64().filter(|count| *count > 0)
    })
    .await;

    // Somebody deletes its tap. The guest's card stays, and so does what it has agreed on with QEMU.
    let address = "fe80::f816:3eff:fe0a:b0c%br0";
    let pings = || {
        let namespace = cable.namespace.as_str();
        let arguments = ["netns", "exec", namespace, "ping", "-c1", "-W1", address];
        Command::new("ip").args(arguments).output().unwrap().status.success()
    };
    until("the guest answers", async || pings().then_some(())).await;
    cable.ip(&["link", "del", &names::tap(PORT)]);
    assert!(!pings());
    until("the guest answers by a new tap", async || pings().then_some(())).await;
    let link = cable.ip(&["-d", "link", "show", &names::tap(PORT)]);
    assert!(link.contains("mtu 1500") && link.contains("master br0"), "the bridge's: {link}");

    // A second card comes while it runs, is kept over a suspension, and goes.
    let second =
        NicPlan { port_id: SECOND.into(), network_id: ID.into(), mac: "fa:16:3e:0a:0b:0d".into(), mtu: 1442 };
    host.plug_nic(ID, &second).await.unwrap();
    host.plug_nic(ID, &second).await.unwrap();
    assert!(cable.ip(&["link"]).contains(&names::tap(SECOND)));
    vm.nics.push(second);
    host.suspend(ID).await.unwrap();
    assert!(!cable.ip(&["link"]).contains(&names::tap(SECOND)));
    host.start(&vm).await.unwrap();
    let start = Instant::now();
    host.unplug_nic(ID, SECOND).await.unwrap();
    println!("unplugged by the guest: {:?}", start.elapsed());
    host.unplug_nic(ID, SECOND).await.unwrap();
    let links = cable.ip(&["link"]);
    assert!(!links.contains(&names::tap(SECOND)) && links.contains(&names::tap(PORT)), "{links}");

    let start = Instant::now();
    host.stop(ID, Some(Duration::from_secs(60))).await.unwrap();
    println!("power button to off: {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(60));
    let links = cable.ip(&["link"]);
    assert!(!links.contains(&names::tap(PORT)), "the tap goes with its machine: {links}");
    host.destroy(ID).await.unwrap();
}
