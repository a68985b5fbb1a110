//! What a guest is told about itself: over 169.254.169.254 in OpenStack's and in EC2's words, and on its config drive.
//!
//! | path | content |
//! |---|---|
//! | `/openstack/<version>/meta_data.json` | who the guest is, its keys and the user's metadata |
//! | `/openstack/<version>/network_data.json` | links, addresses, routes, DNS |
//! | `/openstack/<version>/user_data` | as given with the server |
//! | `/openstack/<version>/password` | posted by the guest, once; `/servers/{id}/os-server-password` shows it |
//! | `/openstack/content/<n>` | injected files |
//! | `/<version>/meta-data/..` | EC2's tree |
//!
//! Who asks is known from the port that the request came in by; see [`host::MetadataCaller`].

mod ec2;
mod network_data;
mod openstack;

use std::collections::BTreeMap;

use async_trait::async_trait;
use base::Ctx;
use db::Event;
use host::{MetadataAnswer, MetadataCaller, MetadataPosted, MetadataSource};
use neutron::PortView;

use crate::block_devices::BlockDevice;
use crate::servers::{Server, Spec, store};
use crate::{Config, Nova};

/// All that the answers are made of.
pub(crate) struct Guest<'a> {
    pub server: &'a Server,
    pub spec: &'a Spec,
    /// In the order of the NICs.
    pub ports: &'a [PortView],
    /// The server's volumes.
    pub devices: &'a [BlockDevice],
    pub zone: &'a str,
    pub config: &'a Config,
}

impl Guest<'_> {
    /// The name a node calls itself: the server's host name, with a domain only if the operator configured one.
    fn hostname(&self) -> String {
        let name = &self.server.hostname;
        let domain = &self.config.dns_domain;
        if domain.is_empty() { name.clone() } else { format!("{name}.{domain}") }
    }

    fn user_data(&self) -> Option<Vec<u8>> {
        self.spec.user_data.as_deref().and_then(crate::schema::decode_base64)
    }

    fn file(&self, index: usize) -> Option<Vec<u8>> {
        crate::schema::decode_base64(&self.spec.files.get(index)?.1)
    }

    /// The answer for a path of the metadata service.
    pub fn answer(&self, path: &str) -> Option<MetadataAnswer> {
        let parts = parts(path);
        match parts.split_first() {
            Some((&"openstack", rest)) => openstack::answer(self, rest),
            Some((&"ec2", rest)) => ec2::answer(self, rest),
            _ => ec2::answer(self, &parts),
        }
    }

    /// Path on the drive (label `config-2`) -> content; the same as the service answers, and the first password.
    pub fn config_drive(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = openstack::drive(self);
        files.extend(ec2::drive(self));
        files
    }
}

/// A password of more bytes is refused.
const LONGEST_PASSWORD: usize = 1020;

fn parts(path: &str) -> Vec<&str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/').filter(|p| !p.is_empty()).collect()
}

fn json(value: &serde_json::Value) -> MetadataAnswer {
    MetadataAnswer { content_type: "application/json", body: value.to_string().into_bytes() }
}

fn text(body: impl Into<Vec<u8>>) -> MetadataAnswer {
    MetadataAnswer { content_type: "text/plain; charset=UTF-8", body: body.into() }
}

/// Whether the server is there and its guest may ask by this port. Which server a port is of its owner may write: of no
/// other project's does it tell, as upstream compares the two.
fn is_at(server: &Server, port: &PortView) -> bool {
    server.deleted_at.is_none() && server.project_id == port.project_id
}

impl Nova {
    async fn guest_answer(
        &self,
        caller: &MetadataCaller,
        path: &str,
    ) -> base::Result<Option<MetadataAnswer>> {
        let Some(port) = self.neutron.port_for_metadata(&caller.port_id).await? else { return Ok(None) };
        let (server, spec, devices, zone) = {
            let mut conn = self.db.read().await?;
            let server = store::get(&mut conn, &port.device_id).await?;
            let Some(server) = server.filter(|server| is_at(server, &port)) else { return Ok(None) };
            let devices = crate::block_devices::store::of_server(&mut conn, &server.id).await?;
            (server, store::spec(&mut conn, &port.device_id).await?, devices, self.zone(&mut conn).await?)
        };
        let ports = self.ports(std::slice::from_ref(&server)).await?.remove(&server.id).unwrap_or_default();
        let ports = crate::servers::in_order(&spec, ports);
        // The password is for the drive alone: over the network anybody in the guest could read it.
        let spec = Spec { admin_pass: None, ..spec };
        let devices: Vec<BlockDevice> = devices.into_iter().filter(BlockDevice::belongs_to_machine).collect();
        let guest = Guest {
            server: &server,
            spec: &spec,
            ports: &ports,
            devices: &devices,
            zone: &zone,
            config: &self.config,
        };
        Ok(guest.answer(path))
    }
}

impl Nova {
    async fn guest_posted(
        &self,
        caller: &MetadataCaller,
        path: &str,
        body: &[u8],
    ) -> base::Result<MetadataPosted> {
        if !openstack::takes_password(&parts(path)) {
            return Ok(MetadataPosted::Refused);
        }
        let Some(port) = self.neutron.port_for_metadata(&caller.port_id).await? else {
            return Ok(MetadataPosted::NotFound);
        };
        // Encrypted and in base64: other bytes are no password.
        let Some(password) = std::str::from_utf8(body).ok().filter(|p| p.len() <= LONGEST_PASSWORD) else {
            return Ok(MetadataPosted::TooLarge);
        };
        let ctx = Ctx::internal("metadata");
        db::write!(self.db, |tx| {
            let Some(server) = store::get(tx, &port.device_id).await?.filter(|s| is_at(s, &port)) else {
                return Ok(MetadataPosted::NotFound);
            };
            if !store::keep_guest_password(tx, &server.id, password).await? {
                return Ok(MetadataPosted::Conflict);
            }
            tx.event(Event::new("nova", "server.password.post", &server.id, &server.project_id, &ctx))
                .await?;
            Ok::<_, base::Error>(MetadataPosted::Kept)
        })
    }
}

#[async_trait]
impl MetadataSource for Nova {
    async fn post(&self, caller: &MetadataCaller, path: &str, body: &[u8]) -> MetadataPosted {
        match self.guest_posted(caller, path, body).await {
            Ok(became) => became,
            Err(error) => {
                tracing::warn!(port = caller.port_id, path, ?error, "a guest's password could not be kept");
                MetadataPosted::Failed
            }
        }
    }

    async fn get(&self, caller: &MetadataCaller, path: &str) -> Option<MetadataAnswer> {
        match self.guest_answer(caller, path).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(port = caller.port_id, path, ?error, "metadata could not be put together");
                None
            }
        }
    }
}
