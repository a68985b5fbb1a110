//! What the kernel can do, found out by doing it where nobody sees it.

use std::process::{Command, Stdio};

use rustix::thread::UnshareFlags;

use super::Kernel;
use crate::{daemon, netns};

pub(super) struct Tried {
    pub namespaces: Kernel,
    pub bridge: Kernel,
    pub veth: Kernel,
    pub vxlan: Kernel,
    pub nft: Kernel,
}

impl Tried {
    fn none(namespaces: Kernel) -> Self {
        let untried = || Kernel::Untried;
        Tried { namespaces, bridge: untried(), veth: untried(), vxlan: untried(), nft: untried() }
    }
}

/// As networks of clouds need them; both families of rules that they use.
const RULES: &str =
    "table inet t { chain c { type filter hook forward priority 0; ct state established accept; }; }
table bridge t { chain c { type filter hook prerouting priority 0; meta mark set 1; }; }
table ip t { chain c { type nat hook postrouting priority 100; masquerade; }; }
";

/// In a network namespace without a name, which ends with its thread.
pub(super) async fn try_all() -> Tried {
    if !daemon::is_root() {
        return Tried::none(Kernel::Untried);
    }
    let tried = netns::on_own_thread(|| {
        // SAFETY: only the network namespace of this thread changes, and the thread ends with this closure.
        #[allow(unsafe_code)]
        if let Err(errno) = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) } {
            return Ok(Tried::none(Kernel::Fails(errno.to_string())));
        }
        let link = |arguments: &str| run("ip", &format!("link add {arguments}"), None);
        Ok(Tried {
            namespaces: Kernel::Works,
            bridge: link("b0 type bridge"),
            veth: link("v0 type veth peer name v1"),
            vxlan: link("x0 type vxlan id 1 dstport 4789"),
            nft: run("nft", "-f -", Some(RULES)),
        })
    })
    .await;
    tried.unwrap_or_else(|error| Tried::none(Kernel::Fails(error.to_string())))
}

fn run(program: &str, arguments: &str, input: Option<&str>) -> Kernel {
    use std::io::Write;
    let Some(path) = daemon::find_program(program) else { return Kernel::Untried };
    let spawned = Command::new(path)
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let ended = spawned.and_then(|mut child| {
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    });
    match ended {
        Ok(output) if output.status.success() => Kernel::Works,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Kernel::Fails(said.lines().next().unwrap_or("it did not say why").trim().to_owned())
        }
        Err(error) => Kernel::Fails(error.to_string()),
    }
}

pub(super) fn tun() -> Kernel {
    match std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => Kernel::Works,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && !daemon::is_root() => {
            Kernel::Untried
        }
        Err(error) => Kernel::Fails(error.to_string()),
    }
}

/// Loaded, built in, or there to be loaded.
pub(super) fn has_module(name: &str) -> bool {
    if std::path::Path::new("/sys/module").join(name).exists()
        || std::path::Path::new("/proc/sys/net/bridge").exists()
    {
        return true;
    }
    let Some(modprobe) = daemon::find_program("modprobe") else { return false };
    Command::new(modprobe).args(["--dry-run", "--quiet", name]).status().is_ok_and(|status| status.success())
}
