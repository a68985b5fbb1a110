//! What `doctor --fix` does: few things, each of them told. None is undone by `cumulet destroy`, which removes what the
//! cloud made and not what an operator asked for.

use super::{Finding, codes};

/// What was done for a finding; None: nothing can be done for it here.
pub fn fix(finding: &Finding) -> Option<Result<String, String>> {
    let done = |result: host::Result<()>, what: &str| {
        Some(result.map(|()| what.to_owned()).map_err(|e| e.to_string()))
    };
    match finding.code.id {
        id if id == codes::FORWARDING.id => {
            let what = "net.ipv4.ip_forward is 1 until the next boot; a line `net.ipv4.ip_forward=1` in a file of \
                        /etc/sysctl.d keeps it";
            done(host::survey::set_sysctl("net/ipv4/ip_forward", "1"), what)
        }
        id if id == codes::BR_NETFILTER.id => done(
            host::survey::load_module("br_netfilter"),
            "the kernel module br_netfilter is loaded until the next boot",
        ),
        id if id == codes::TUN.id => {
            done(host::survey::load_module("tun"), "the kernel module tun is loaded until the next boot")
        }
        _ => None,
    }
}
