//! A cloud in memory: keeps the rules that decide in which order things can be made and deleted, and dies on request.

mod cloud;
mod compute;
mod network;

use std::sync::{Mutex, MutexGuard};

use openstack::{
    ApplicationCredential, Error, FloatingIp, Keypair, LoadBalancer, Network, Port, Result, Router, Secret,
    SecurityGroup, Server, ServerGroup, Subnet, Volume, VolumeBackup, VolumeSnapshot,
};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Things {
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
    pub routers: Vec<Router>,
    pub ports: Vec<Port>,
    pub floating_ips: Vec<FloatingIp>,
    pub security_groups: Vec<SecurityGroup>,
    pub servers: Vec<Server>,
    pub server_groups: Vec<ServerGroup>,
    pub keypairs: Vec<Keypair>,
    pub credentials: Vec<ApplicationCredential>,
    pub load_balancers: Vec<LoadBalancer>,
    pub volumes: Vec<Volume>,
    pub snapshots: Vec<VolumeSnapshot>,
    pub backups: Vec<VolumeBackup>,
    pub secrets: Vec<Secret>,
}

#[derive(Debug, Default)]
struct Inner {
    things: Things,
    counter: u32,
    /// Changing requests until the end of the engine; `None` is never.
    left: Option<u32>,
    /// Is the last request still carried out, and only its answer lost?
    last_is_done: bool,
    changes: u32,
    broken_server: Option<String>,
    restricted: bool,
    no_load_balancers: bool,
    reclaims_later: bool,
}

/// A volume's metadata here: the snapshot that it was made of, which cannot go before it.
pub(crate) const MADE_OF: &str = "made-of";

#[derive(Default)]
pub(crate) struct FakeCloud(Mutex<Inner>);

fn status(status: u16, says: &str) -> Error {
    Error::Http { call: "fake".into(), status, service_says: says.into(), request_id: None }
}
fn killed() -> Error {
    Error::Config { message: "killed".into() }
}

impl FakeCloud {
    pub fn things(&self) -> Things {
        self.lock().things.clone()
    }
    pub fn edit(&self, change: impl FnOnce(&mut Things)) {
        change(&mut self.lock().things);
    }
    /// Let `requests` more changes through; then everything fails, as if the engine were dead.
    pub fn kill_after(&self, requests: Option<u32>, last_is_done: bool) {
        let mut inner = self.lock();
        inner.left = requests;
        inner.last_is_done = last_is_done;
    }
    pub fn changes(&self) -> u32 {
        self.lock().changes
    }
    /// The next server of this name ends in ERROR.
    pub fn break_server(&self, name: &str) {
        self.lock().broken_server = Some(name.to_owned());
    }

    /// From now on we are logged in by a restricted application credential.
    pub fn restrict(&self) {
        self.lock().restricted = true;
    }

    /// As of a member of the project without a role of Octavia's.
    pub fn forbid_load_balancers(&self) {
        self.lock().no_load_balancers = true;
    }

    /// Deleted servers are kept for a while, with their volumes.
    pub fn reclaim_later(&self) {
        self.lock().reclaims_later = true;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&mut Things) -> T) -> Result<T> {
        let mut inner = self.lock();
        if inner.left == Some(0) { Err(killed()) } else { Ok(look(&mut inner.things)) }
    }

    fn change<T>(&self, act: impl FnOnce(&mut Inner, String) -> Result<T>) -> Result<T> {
        let mut inner = self.lock();
        match inner.left {
            Some(0) => return Err(killed()),
            Some(1) => {
                inner.left = Some(0);
                if inner.last_is_done {
                    let id = inner.next_id();
                    let _ = act(&mut inner, id);
                }
                return Err(killed());
            }
            Some(left) => inner.left = Some(left - 1),
            None => {}
        }
        inner.changes += 1;
        let id = inner.next_id();
        act(&mut inner, id)
    }
}

impl Inner {
    fn next_id(&mut self) -> String {
        self.counter += 1;
        format!("id-{:04}", self.counter)
    }
}

/// Remove by id; 404 when it is not there.
fn take<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool) -> Result<()> {
    let before = list.len();
    list.retain(|item| !is(item));
    if list.len() == before { Err(status(404, "not found")) } else { Ok(()) }
}
