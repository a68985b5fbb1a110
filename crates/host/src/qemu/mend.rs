//! A tap that somebody deleted is made again on the descriptor that QEMU still holds: the guest keeps its card and does not
//! notice more than a pause.

use std::os::fd::OwnedFd;

use serde_json::{Value, json};

use super::machine::Machine;
use super::slots;
use crate::Result;
use crate::link::revive_tap;

impl Machine {
    /// Looks for taps that are gone and makes them again.
    pub(super) async fn mend_taps(&self) -> Result<()> {
        let lost = lost_taps(self.process.pid());
        if lost.is_empty() {
            return Ok(());
        }
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let shown = monitor.execute("human-monitor-command", json!({"command-line": "info network"})).await?;
        for (port_id, fd) in cables(shown.as_str().unwrap_or_default()) {
            if !lost.contains(&fd) {
                continue;
            }
            let tap = self.borrow_file(fd)?;
            let path = format!("/machine/peripheral/{}/virtio-backend", slots::nic(&port_id));
            // Older versions of QEMU do not tell.
            let status = monitor.execute("x-query-virtio-status", json!({"path": path})).await.ok();
            let (header, offloads) = agreed(status.as_ref());
            revive_tap(tap, &port_id, header, offloads).await?;
            tracing::warn!(machine = self.id, port = port_id, "its tap had been deleted: made again");
        }
        Ok(())
    }

    fn borrow_file(&self, fd: i32) -> Result<OwnedFd> {
        let borrowed = self.process.file(fd);
        borrowed.map_err(|error| {
            crate::process::file_error("sharing a file of the process in", &self.files.pid(), error)
        })
    }
}

/// Descriptors of `/dev/net/tun` behind which there is no link.
fn lost_taps(pid: i32) -> Vec<i32> {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let is_lost = |fd: &i32| {
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default();
        info.lines().any(|line| line.strip_prefix("iff:").is_some_and(|name| name.trim().is_empty()))
    };
    let tun = |file: &std::fs::DirEntry| {
        std::fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == "/dev/net/tun")
    };
    let open = files.flatten().filter(tun).filter_map(|file| file.file_name().to_str()?.parse().ok());
    open.filter(is_lost).collect()
}

/// Ports and their descriptors, of lines like ` \ net-<port>: index=0,type=tap,fd=26`.
fn cables(shown: &str) -> Vec<(String, i32)> {
    let cable = |line: &str| {
        let (head, rest) = line.split_once(": ")?;
        let port = head.trim_start_matches([' ', '\\']).strip_prefix("net-")?;
        let fd = rest.split(',').find_map(|part| part.trim().strip_prefix("fd="))?;
        Some((port.to_owned(), fd.parse().ok()?))
    };
    shown.lines().filter_map(cable).collect()
}

/// What guest and QEMU have agreed on, and a new tap does not know: bytes of header before each frame, and what the guest
/// takes unfinished.
fn agreed(status: Option<&Value>) -> (i32, u32) {
    const LONG: i32 = 12;
    const SHORT: i32 = 10;
    let Some(status) = status else { return (LONG, 0) };
    let text = status["guest-features"].to_string();
    let has = |feature: &str| text.contains(feature);
    let header = if has("VIRTIO_NET_F_MRG_RXBUF") || has("VIRTIO_F_VERSION_1") { LONG } else { SHORT };
    let all = [
        ("VIRTIO_NET_F_GUEST_CSUM", libc::TUN_F_CSUM),
        ("VIRTIO_NET_F_GUEST_TSO4", libc::TUN_F_TSO4),
        ("VIRTIO_NET_F_GUEST_TSO6", libc::TUN_F_TSO6),
        ("VIRTIO_NET_F_GUEST_ECN", libc::TUN_F_TSO_ECN),
    ];
    (header, all.iter().filter(|(feature, _)| has(feature)).fold(0, |sum, (_, flag)| sum | flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cables_are_found_in_what_the_monitor_shows() {
        let port = "7b1c2d3e-52a7-4a2b-9d0f-0a63b6c4a002";
        let shown = format!(
            "nic-{port}: index=0,type=nic,model=virtio-net-pci,macaddr=fa:16:3e:0a:0b:0c\r\n \\ net-{port}: index=0,type=tap,fd=26\r\n"
        );
        assert_eq!(cables(&shown), [(port.to_owned(), 26)]);
        assert_eq!(cables(""), []);
    }

    #[test]
    fn what_was_agreed_is_read_from_the_guests_features() {
        let status = json!({"guest-features": {
            "transports": ["VIRTIO_F_VERSION_1: Device compliant for v1 spec (legacy)"],
            "dev-features": ["VIRTIO_NET_F_GUEST_CSUM: Driver can handle packets with partial checksum"],
        }});
        assert_eq!(agreed(Some(&status)), (12, libc::TUN_F_CSUM));
        assert_eq!(agreed(Some(&json!({"guest-features": {"transports": []}}))), (10, 0), "no driver yet");
        assert_eq!(agreed(None), (12, 0));
    }
}
