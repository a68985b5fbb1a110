//! Health of members that HAProxy does not look at: those that the kernel serves, and those that are pinged. A thread for
//! each pool, in the load balancer's namespace.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::enforced::Enforced;
use super::{backend, probe, stats};
use crate::balancer::{BalancerPlan, Health, MemberPlan, MonitorKind, MonitorPlan, PoolPlan};
use crate::names::NetnsName;
use crate::{Error, Result, netns};

/// Of a thread that asks; the default of eight megabytes is address space that many load balancers would fill.
const STACK: usize = 256 << 10;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Record {
    /// None: nobody has asked yet.
    is_up: Option<bool>,
    /// Answers in a row that say otherwise.
    against: u32,
}

impl Record {
    /// The first answer counts at once.
    fn hear(&mut self, is_well: bool, monitor: &MonitorPlan) {
        if self.is_up == Some(is_well) {
            self.against = 0;
            return;
        }
        self.against += 1;
        let needed = match self.is_up {
            None => 1,
            Some(true) => monitor.fall,
            Some(false) => monitor.rise,
        };
        if self.against >= needed.max(1) {
            *self = Record { is_up: Some(is_well), against: 0 };
        }
    }
}

/// (pool id, member id)
type Records = BTreeMap<(String, String), Record>;

/// A pool that is looked after.
#[derive(Clone, PartialEq)]
struct Watched {
    pool: PoolPlan,
    /// HAProxy's, which are told.
    backends: Vec<String>,
}

/// The checkers of one load balancer. They end when it is dropped.
#[derive(Default)]
pub struct Checks {
    pools: Vec<Watched>,
    records: Arc<Mutex<Records>>,
    stop: Arc<AtomicBool>,
    threads: Vec<Thread>,
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(Thread::unpark);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watched(plan: &BalancerPlan) -> Vec<Watched> {
    let ours = |pool: &&PoolPlan| {
        pool.monitor.as_ref().is_some_and(|monitor| pool.forwarded || monitor.kind == MonitorKind::Ping)
    };
    let watched = |pool: &PoolPlan| Watched { pool: pool.clone(), backends: backend::names(plan, pool) };
    plan.pools.iter().filter(ours).map(watched).collect()
}

/// The checkers that the plan needs. What is known of members that are asked as before stays known.
pub async fn renew(
    before: Arc<Checks>,
    plan: &BalancerPlan,
    namespace: &NetnsName,
    directory: &Utf8Path,
    enforced: &Arc<Mutex<Enforced>>,
) -> Result<Arc<Checks>> {
    let pools = watched(plan);
    if pools == before.pools {
        return Ok(before);
    }
    let mut records = Records::new();
    for Watched { pool, .. } in &pools {
        let mut old = before.pools.iter().map(|watched| &watched.pool);
        let old = old.find(|old| old.id == pool.id && old.monitor == pool.monitor);
        for member in pool.members.iter().filter(|member| old.is_some_and(|old| old.members.contains(member)))
        {
            let key = (pool.id.clone(), member.id.clone());
            if let Some(record) = lock(&before.records).get(&key) {
                records.insert(key, record.clone());
            }
        }
    }
    let mut checks = Checks::default();
    checks.pools = pools;
    *lock(&checks.records) = records;
    for Watched { pool, backends } in checks.pools.clone() {
        let checker = Checker {
            pool,
            backends,
            records: checks.records.clone(),
            stop: checks.stop.clone(),
            directory: directory.to_owned(),
            enforced: enforced.clone(),
        };
        let started = netns::inside(namespace, move || {
            checker.tell(&checker.known())?;
            let builder = thread::Builder::new().name("checks".to_owned()).stack_size(STACK);
            let handle = builder.spawn(move || checker.run());
            Ok(handle
                .map_err(|error| Error::Link(format!("cannot start a thread: {error}")))?
                .thread()
                .clone())
        });
        checks.threads.push(started.await?);
    }
    Ok(Arc::new(checks))
}

impl Checks {
    /// By (pool id, member id).
    pub fn health(&self) -> Vec<((String, String), Health)> {
        let records = lock(&self.records);
        let pools = self.pools.iter().map(|watched| &watched.pool);
        let members = pools.flat_map(|pool| pool.members.iter().map(move |member| (pool, member)));
        members
            .map(|(pool, member)| {
                let key = (pool.id.clone(), member.id.clone());
                let health = match records.get(&key).and_then(|record| record.is_up) {
                    None => Health::Unknown,
                    Some(false) => Health::Down,
                    Some(true) if member.weight == 0 => Health::Draining,
                    Some(true) => Health::Up,
                };
                (key, health)
            })
            .collect()
    }
}

struct Checker {
    pool: PoolPlan,
    backends: Vec<String>,
    records: Arc<Mutex<Records>>,
    stop: Arc<AtomicBool>,
    directory: camino::Utf8PathBuf,
    enforced: Arc<Mutex<Enforced>>,
}

impl Checker {
    fn run(self) {
        let Some(monitor) = self.pool.monitor.clone() else { return };
        let delay = Duration::from_secs(u64::from(monitor.delay.max(1)));
        loop {
            let next = Instant::now() + delay;
            let answers = self.ask(&monitor);
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = self.hear(&monitor, &answers) {
                tracing::warn!(pool = self.pool.id, %error, "a member's health could not be told");
            }
            loop {
                let left = next.saturating_duration_since(Instant::now());
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                if left.is_zero() {
                    break;
                }
                thread::park_timeout(left);
            }
        }
    }

    /// All at once: one that does not answer keeps nobody waiting.
    fn ask(&self, monitor: &MonitorPlan) -> Vec<bool> {
        let question = |member: &MemberPlan| {
            let address = member.monitor_address.unwrap_or(member.address);
            (address, member.monitor_port.unwrap_or(member.port))
        };
        thread::scope(|scope| {
            let asked: Vec<_> = self
                .pool
                .members
                .iter()
                .map(|member| {
                    let (address, port) = question(member);
                    let builder = thread::Builder::new().stack_size(STACK);
                    builder.spawn_scoped(scope, move || probe::is_well(monitor, address, port))
                })
                .collect();
            asked.into_iter().map(|one| one.is_ok_and(|thread| thread.join().unwrap_or(false))).collect()
        })
    }

    fn hear(&self, monitor: &MonitorPlan, answers: &[bool]) -> Result<()> {
        let mut records = self.known();
        for (record, is_well) in records.iter_mut().zip(answers) {
            record.hear(*is_well, monitor);
        }
        // What is observed is in force.
        let told = self.tell(&records);
        let keys = self.pool.members.iter().map(|member| self.key(member));
        lock(&self.records).extend(keys.zip(records));
        told
    }

    fn key(&self, member: &MemberPlan) -> (String, String) {
        (self.pool.id.clone(), member.id.clone())
    }

    /// In the members' order.
    fn known(&self) -> Vec<Record> {
        let records = lock(&self.records);
        let of = |member| records.get(&self.key(member)).cloned().unwrap_or_default();
        self.pool.members.iter().map(of).collect()
    }

    /// Told each time: a process that has started anew does not know it.
    fn tell(&self, records: &[Record]) -> Result<()> {
        let members = self.pool.members.iter().zip(records);
        let down: Vec<&str> = members
            .filter(|(_, record)| record.is_up == Some(false))
            .map(|(member, _)| member.id.as_str())
            .collect();
        if self.pool.forwarded {
            return lock(&self.enforced).set_down(&self.pool.id, &down);
        }
        self.backends.iter().try_for_each(|backend| self.tell_backend(backend, &down))
    }

    fn tell_backend(&self, backend: &str, down: &[&str]) -> Result<()> {
        let commands = self.pool.members.iter().map(|member| {
            let state = if down.contains(&member.id.as_str()) { "maint" } else { "ready" };
            format!("set server {backend}/{} state {state}", member.id)
        });
        stats::ask(&self.directory, &commands.collect::<Vec<_>>().join(";")).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_counts_and_later_ones_when_they_repeat() {
        let monitor = MonitorPlan {
            kind: MonitorKind::Tcp,
            delay: 1,
            timeout: 1,
            rise: 2,
            fall: 3,
            method: String::new(),
            path: String::new(),
            expected: String::new(),
            http_version: String::new(),
            domain: None,
        };
        let mut record = Record::default();
        let mut said = Vec::new();
        for is_well in [true, false, false, true, false, false, false, true, false, true, true] {
            record.hear(is_well, &monitor);
            said.push(record.is_up == Some(true));
        }
        let expected = [true, true, true, true, true, true, false, false, false, false, true];
        assert_eq!(said, expected);
    }
}
