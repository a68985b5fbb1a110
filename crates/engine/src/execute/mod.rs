//! Doing a step: look up the ids, send the request, remember the answer.

mod network;
mod remove;
mod servers;

pub(crate) use remove::remove;

use std::time::Duration;

use openstack::{Deadline, NewApplicationCredential};

use crate::bootstrap;
use crate::node;
use crate::observe::World;
use crate::plan::Step;
use crate::state::{Credential, Secrets, Store};
use crate::{Cloud, Error, Result, Wanted};

const POLL: Duration = Duration::from_millis(500);

pub(crate) struct Executor<'a> {
    pub cloud: &'a dyn Cloud,
    pub wanted: &'a Wanted,
    pub store: &'a Store,
    pub secrets: Secrets,
    pub world: World,
    pub deadline: Deadline,
}

/// A step that a correct plan has put before this one was not done.
fn missing(what: &str) -> Error {
    Error::Internal(format!("{what} should exist by now"))
}

impl Executor<'_> {
    pub async fn run(&mut self, step: &Step) -> Result<()> {
        tracing::debug!(cluster = %self.wanted.name, %step, "step");
        match step {
            Step::DeleteCredential { id } => self.delete_credential(id).await,
            Step::CreateCredential => self.create_credential().await,
            Step::CreateNetwork => self.create_network().await,
            Step::CreateSubnet => self.create_subnet().await,
            Step::CreateRouter => self.create_router().await,
            Step::AttachSubnet => self.attach_subnet().await,
            Step::CreateSecurityGroup(role) => self.create_security_group(*role).await,
            Step::CreateRule(role, rule) => self.create_rule(*role, rule).await,
            Step::CreatePort(node) => self.create_port(*node).await,
            Step::CreateFloatingIp => self.create_floating_ip().await,
            Step::AttachFloatingIp => self.attach_floating_ip().await,
            Step::Tag(item) => self.tag(*item).await,
            Step::CreateServerGroup => self.create_server_group().await,
            Step::CreateKeypair => self.create_keypair().await,
            Step::DeleteServer { id, .. } => self.delete_server(id).await,
            Step::CreateServer(node) => self.create_server(*node).await,
            Step::AwaitServer(node) => self.await_server(*node).await,
        }
    }

    async fn delete_credential(&mut self, id: &str) -> Result<()> {
        match self.cloud.delete_application_credential(id).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Its secret is told once, so it is written down before anything else is done.
    pub async fn create_credential(&mut self) -> Result<()> {
        let wanted = self.wanted;
        let new = NewApplicationCredential {
            name: node::credential(&wanted.name, &wanted.uuid) + &crate::pki::letters(8),
            description: format!("The controllers of the Kubernetes cluster {} act by it", wanted.name),
            roles: roles_for_controllers(&self.cloud.roles()),
        };
        let made = self.cloud.create_application_credential(&new).await?;
        let secret = made.secret.ok_or_else(|| {
            Error::Internal("the cloud made an application credential and did not tell its secret".to_owned())
        })?;
        self.secrets.credential = Some(Credential { id: made.id, secret });
        self.store.save_secrets(&wanted.name, &self.secrets)
    }
}

/// Of the roles that we have, those that controllers need: what a member of the project may, no more. A cloud that calls
/// its members otherwise gives them all.
fn roles_for_controllers(ours: &[String]) -> Vec<String> {
    const MEMBER: [&str; 2] = ["member", "_member_"];
    /// Octavia's own and Barbican's own, where they are kept apart.
    const OTHERS: [&str; 2] = ["load-balancer_member", "creator"];
    let has = |names: &[&str], role: &String| names.iter().any(|name| name.eq_ignore_ascii_case(role));
    if !ours.iter().any(|role| has(&MEMBER, role)) {
        return Vec::new();
    }
    ours.iter().filter(|role| has(&MEMBER, role) || has(&OTHERS, role)).cloned().collect()
}

pub(crate) fn server_url(address: &str) -> String {
    format!("https://{address}:{}", bootstrap::API_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_get_no_administrators_roles() {
        let roles = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of = |names: &[&str]| roles_for_controllers(&roles(names));
        assert_eq!(of(&["admin", "member", "reader"]), roles(&["member"]));
        assert_eq!(
            of(&["Member", "load-balancer_member", "heat_stack_owner"]),
            roles(&["Member", "load-balancer_member"])
        );
        // All that there are: what such a cloud's roles mean is not known here.
        assert!(of(&["project-owner"]).is_empty());
    }
}
