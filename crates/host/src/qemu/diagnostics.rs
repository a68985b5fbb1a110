//! Counters of a running machine, from its monitor, its process and its taps.

use serde_json::Value;

use super::machine::Machine;
use super::options::TapSource;
use crate::plan::VmPlan;
use crate::{Diagnostics, DiskCounters, Result};

impl Machine {
    pub(super) async fn counters(&self, vm: &VmPlan, taps: &dyn TapSource) -> Result<Diagnostics> {
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let blocks = monitor.execute("query-blockstats", Value::Null).await?;
        let processors = monitor.execute("query-cpus-fast", Value::Null).await?;
        let pid = self.process.pid();
        let threads = processors.as_array().map(Vec::as_slice).unwrap_or_default();
        let cpu_times = threads.iter().map(|cpu| thread_time(pid, cpu["thread-id"].as_u64()?));
        let mut nics = Vec::with_capacity(vm.nics.len());
        for nic in &vm.nics {
            nics.push(taps.counters(nic).await);
        }
        Ok(Diagnostics {
            uptime_seconds: uptime(pid),
            cpu_times: cpu_times.collect(),
            resident_mib: resident(pid),
            disks: disks(&blocks),
            nics,
        })
    }
}

fn disks(blocks: &Value) -> Vec<DiskCounters> {
    let list = blocks.as_array().map(Vec::as_slice).unwrap_or_default();
    let devices = list.iter().filter(|block| block["qdev"].as_str().is_some_and(|q| !q.is_empty()));
    let letters = 'a'..='z';
    devices
        .zip(letters)
        .map(|(block, letter)| {
            let stats = &block["stats"];
            let number = |key: &str| stats[key].as_u64().unwrap_or(0);
            DiskCounters {
                name: format!("vd{letter}"),
                read_bytes: number("rd_bytes"),
                read_requests: number("rd_operations"),
                write_bytes: number("wr_bytes"),
                write_requests: number("wr_operations"),
                errors: number("failed_rd_operations") + number("failed_wr_operations"),
            }
        })
        .collect()
}

/// Fields of a `stat` file behind the program's name, which may hold anything.
fn stat(path: &str) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(path).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

/// User and system time, the 14th and 15th field of all.
fn thread_time(pid: i32, thread: u64) -> Option<u64> {
    let fields = stat(&format!("/proc/{pid}/task/{thread}/stat"))?;
    Some((fields.get(11)? + fields.get(12)?) * (1_000_000_000 / ticks_per_second()))
}

fn uptime(pid: i32) -> Option<u64> {
    let started = *stat(&format!("/proc/{pid}/stat"))?.get(19)? / ticks_per_second();
    let now = std::fs::read_to_string("/proc/uptime").ok()?;
    let now: f64 = now.split_whitespace().next()?.parse().ok()?;
    Some((now as u64).saturating_sub(started))
}

fn resident(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? >> 10)
}
