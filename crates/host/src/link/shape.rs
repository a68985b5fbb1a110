//! Bandwidth limits of machines' taps, by `tc`. What a machine receives is queued at its tap; what it sends goes through a
//! device of its own (ifb) that queues it before the bridge sees it. From what is there to what is wanted as a list of
//! commands; pure but for [`apply`].

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;

use super::trunk;
use crate::names;
use crate::plan::{NetworkPlan, PortKind, PortPlan, QosPlan, Rate};
use crate::{Error, Result};

const PREFIX: &str = "ifb";

/// Whether taps of this network are to be limited at all.
#[must_use]
pub fn limits(plan: &NetworkPlan) -> bool {
    plan.ports.iter().any(is_limited)
}

fn is_limited(port: &PortPlan) -> bool {
    port.kind == PortKind::Vm && (port.qos.ingress.is_some() || port.qos.egress.is_some())
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Qdisc {
    kind: String,
    dev: String,
    #[serde(default)]
    root: bool,
    #[serde(default)]
    options: Options,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Options {
    /// Bytes a second.
    #[serde(default)]
    rate: u64,
}

/// Makes it so, in the calling thread's namespace. `before`: what was applied last, if that is known; rates that are not
/// seen to differ (bursts) are set again when they do from those.
pub fn apply(before: Option<&NetworkPlan>, plan: &NetworkPlan) -> Result<()> {
    if !limits(plan) && before.is_some_and(|before| !limits(before)) {
        return Ok(());
    }
    let shown = run("tc", &["-j", "qdisc", "show"])?;
    let qdiscs: Vec<Qdisc> = serde_json::from_str(&shown)
        .map_err(|error| Error::Link(format!("tc's list of qdiscs cannot be read: {error}")))?;
    for command in commands(&qdiscs, before, plan) {
        let words: Vec<&str> = command.split(' ').collect();
        run(words[0], &words[1..])?;
    }
    Ok(())
}

fn commands(qdiscs: &[Qdisc], before: Option<&NetworkPlan>, plan: &NetworkPlan) -> Vec<String> {
    let devices: BTreeSet<&str> = qdiscs.iter().map(|qdisc| qdisc.dev.as_str()).collect();
    let limited = |plan: &'_ NetworkPlan| -> BTreeMap<String, QosPlan> {
        let ports = plan.ports.iter().filter(|port| is_limited(port));
        ports.map(|port| (port.id.clone(), port.qos)).collect()
    };
    let known = before.map(limited).unwrap_or_default();
    let wanted = limited(plan);
    let rate = |dev: &str| {
        qdiscs.iter().find(|q| q.dev == dev && q.root && q.kind == "tbf").map(|qdisc| qdisc.options.rate)
    };
    let mut commands = Vec::new();
    let mut shapers = BTreeSet::new();
    for (id, qos) in &wanted {
        let (tap, shaper) = (names::tap(id), shaper(id));
        // A machine that does not run has none; it is limited when it comes.
        if !devices.contains(tap.as_str()) {
            continue;
        }
        let changed = known.get(id) != Some(qos);
        let set = |device: &str, limit: Rate| {
            let differs = rate(device) != Some(u64::from(least(limit)) * 125);
            (changed || differs).then(|| format!("tc qdisc replace dev {device} root {}", tbf(limit)))
        };
        match qos.ingress {
            Some(limit) => commands.extend(set(&tap, limit)),
            None if rate(&tap).is_some() => commands.push(format!("tc qdisc del dev {tap} root")),
            None => {}
        }
        let Some(limit) = qos.egress else { continue };
        let there = devices.contains(shaper.as_str());
        if !there {
            commands.push(format!("ip link add name {shaper} type ifb"));
            commands.push(format!("ip link set dev {shaper} up"));
        }
        commands.extend(set(&shaper, limit));
        if !there || !qdiscs.iter().any(|qdisc| qdisc.dev == tap && qdisc.kind == "ingress") {
            commands.push(format!("tc qdisc replace dev {tap} handle ffff: ingress"));
            commands.push(format!(
                "tc filter replace dev {tap} parent ffff: protocol all prio 2 handle 800::800 u32 match u32 0 0 \
                 action mirred egress redirect dev {shaper}"
            ));
        }
        shapers.insert(shaper);
    }
    for qdisc in qdiscs.iter().filter(|qdisc| qdisc.dev.starts_with("tap")) {
        let qos = wanted.iter().find(|(id, _)| names::tap(id) == qdisc.dev).map(|(_, qos)| qos);
        if qdisc.kind == "tbf" && qdisc.root && qos.is_none() {
            commands.push(format!("tc qdisc del dev {} root", qdisc.dev));
        }
        if qdisc.kind == "ingress" && qos.is_none_or(|qos| qos.egress.is_none()) {
            let trunk = trunk::parents(plan).find(|port| names::tap(&port.id) == qdisc.dev);
            match trunk {
                None => commands.push(format!("tc qdisc del dev {} ingress", qdisc.dev)),
                // What takes its subports' frames out stays.
                Some(port) if devices.contains(shaper(&port.id).as_str()) => {
                    commands.push(format!("tc filter del dev {} parent ffff: prio 2", qdisc.dev));
                }
                Some(_) => {}
            }
        }
    }
    let gone = devices.iter().filter(|device| device.starts_with(PREFIX) && !shapers.contains(**device));
    commands.extend(gone.map(|device| format!("ip link del dev {device}")));
    commands
}

fn shaper(port_id: &str) -> String {
    names::tap(port_id).replacen("tap", PREFIX, 1)
}

/// A burst must hold what the rate sends between two ticks, and a packet that is still to be cut.
fn tbf(rate: Rate) -> String {
    const PACKET: u64 = 64 << 10;
    let bytes = |kilobits: u32| u64::from(kilobits) * 125;
    let burst = match rate.burst_kilobits {
        // Neutron's own proportion would be most of a second; so much at once is no limit for short transfers.
        0 => bytes(rate.kilobits) / 20,
        burst => bytes(burst),
    };
    let burst = burst.clamp(PACKET, 1 << 30);
    format!("tbf rate {}kbit burst {burst} latency 100ms", least(rate))
}

/// A rate of nothing at all cannot be set.
fn least(rate: Rate) -> u32 {
    rate.kilobits.max(1)
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let failed = |status: String, stderr: String| Error::Command {
        command: format!("{program} {}", arguments.join(" ")),
        status,
        stderr,
    };
    let output = Command::new(program).args(arguments).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::MissingProgram { program: program.to_owned(), package: "iproute2".to_owned() }
        }
        _ => failed(error.to_string(), String::new()),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(output.status.to_string(), String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAP: &str = "tap3fa85f64-57";

    fn plan(ingress: Option<u32>, egress: Option<u32>) -> NetworkPlan {
        let rate = |kilobits| Rate { kilobits, burst_kilobits: 0 };
        let qos = QosPlan { ingress: ingress.map(rate), egress: egress.map(rate), ..QosPlan::default() };
        let id = "3fa85f64-5717-4562-b3fc-2c963f66afa6".into();
        let port = PortPlan { id, qos, kind: PortKind::Vm, ..PortPlan::default() };
        NetworkPlan { ports: vec![port], ..NetworkPlan::default() }
    }

    fn there(list: &[(&str, &str, u64)]) -> Vec<Qdisc> {
        let qdisc = |(dev, kind, rate): &(&str, &str, u64)| Qdisc {
            kind: (*kind).into(),
            dev: (*dev).into(),
            root: *kind != "ingress",
            options: Options { rate: *rate },
        };
        list.iter().map(qdisc).collect()
    }

    #[test]
    fn limits_come_with_the_tap_and_go_with_the_policy() {
        let both = plan(Some(8000), Some(80));
        assert_eq!(commands(&there(&[]), None, &both), Vec::<String>::new(), "no tap yet");
        let made = commands(&there(&[(TAP, "noqueue", 0)]), Some(&both), &both);
        assert_eq!(
            made,
            [
                "tc qdisc replace dev tap3fa85f64-57 root tbf rate 8000kbit burst 65536 latency 100ms",
                "ip link add name ifb3fa85f64-57 type ifb",
                "ip link set dev ifb3fa85f64-57 up",
                "tc qdisc replace dev ifb3fa85f64-57 root tbf rate 80kbit burst 65536 latency 100ms",
                "tc qdisc replace dev tap3fa85f64-57 handle ffff: ingress",
                "tc filter replace dev tap3fa85f64-57 parent ffff: protocol all prio 2 handle 800::800 u32 match \
                 u32 0 0 action mirred egress redirect dev ifb3fa85f64-57",
            ]
        );
        let all = there(&[(TAP, "tbf", 1_000_000), (TAP, "ingress", 0), ("ifb3fa85f64-57", "tbf", 10_000)]);
        assert_eq!(commands(&all, Some(&both), &both), Vec::<String>::new(), "all is there");
        assert_eq!(
            commands(&all, None, &plan(Some(0), None))[0],
            "tc qdisc replace dev tap3fa85f64-57 root tbf rate 1kbit burst 65536 latency 100ms"
        );
        let faster = commands(&all, Some(&both), &plan(Some(8000), Some(800)));
        assert_eq!(faster.len(), 2, "both are set again: {faster:?}");
        assert_eq!(
            commands(&all, Some(&both), &plan(None, None)),
            [
                "tc qdisc del dev tap3fa85f64-57 root",
                "tc qdisc del dev tap3fa85f64-57 ingress",
                "ip link del dev ifb3fa85f64-57",
            ]
        );
        let orphan = there(&[("ifb3fa85f64-57", "tbf", 10_000)]);
        assert_eq!(commands(&orphan, None, &both), ["ip link del dev ifb3fa85f64-57"], "its tap is gone");
    }
}
