//! From BUILD to ACTIVE: a place, ports, a disk, a running machine.

use base::{Error, Kind, Result};
use neutron::{AllocatePort, PortView};
use reconcile::Outcome;

use super::load::Present;
use super::plan::{ids, networks};
use super::resize::resources;
use super::trouble::Trouble;
use super::{End, PowerState, Server, TaskState, VmState, acting_for};
use crate::Nova;
use crate::instance_actions::store as actions;
use crate::servers::{Spec, in_order, store};

impl Nova {
    pub(super) async fn build(&self, server: &Server) -> Result<Outcome> {
        let trouble = match self.try_build(server.clone()).await {
            Ok(()) => return Ok(Outcome::Done),
            Err(trouble) => trouble,
        };
        // The step may have moved the task on; what counts is the row as it is.
        let now = store::get(&mut *self.db.read().await?, &server.id).await?;
        let Some(now) =
            now.filter(|s| s.vm_state == VmState::Building && s.task_state != Some(TaskState::Deleting))
        else {
            return Ok(Outcome::Done);
        };
        if let Some(error) = self.again(&now, &trouble).await {
            return Err(error);
        }
        // An ERROR server holds nothing: its quota of ports, addresses and space is for others.
        if let Err(error) = self.give_back(&now).await {
            tracing::warn!(
                server = server.id,
                ?error,
                "a failed build could not be cleared away; deletion will"
            );
        }
        self.give_up(&now, &trouble).await
    }

    async fn try_build(&self, mut server: Server) -> Result<(), Trouble> {
        let mut spec = {
            let mut conn = self.db.read().await.map_err(Error::from)?;
            store::spec(&mut conn, &server.id).await?
        };
        if server.task_state == Some(TaskState::Scheduling) && !self.schedule(&mut server).await? {
            return Ok(());
        }
        let ports = if server.task_state == Some(TaskState::Networking) {
            let (ports, image) =
                tokio::join!(self.connect(&server, &spec), self.find_image_of(&server, spec.clone()));
            let ports = ports?;
            let found = image?;
            spec.image_file = found.image_file;
            spec.image_format = found.image_format;
            for (nic, port) in spec.nics.iter_mut().zip(&ports) {
                nic.port_id = Some(port.id.clone());
            }
            let next = match server.image_id.is_none() || self.has_volumes(&server).await? {
                true => TaskState::BlockDeviceMapping,
                false => TaskState::Spawning,
            };
            if !self.settle(&server, |s| s.task_state = Some(next), Some(&spec), None).await? {
                return Ok(());
            }
            server.task_state = Some(next);
            ports
        } else {
            let ports =
                self.ports(std::slice::from_ref(&server)).await?.remove(&server.id).unwrap_or_default();
            in_order(&spec, ports)
        };
        if server.task_state == Some(TaskState::BlockDeviceMapping) {
            self.make_volumes(&server).await?;
            if !self.move_on(&mut server, TaskState::Spawning).await? {
                return Ok(());
            }
        }
        self.spawn(&server, &mut spec, &ports).await
    }

    async fn find_image_of(&self, server: &Server, mut spec: Spec) -> Result<Spec, Trouble> {
        self.find_image(server, &mut spec).await?;
        Ok(spec)
    }

    /// Claims the flavor's resources and takes the server's place in its group. False: no longer wanted.
    async fn schedule(&self, server: &mut Server) -> Result<bool, Trouble> {
        let resources = resources(&server.flavor, server);
        let claimed = self.placement.claim(&server.id, &server.project_id, &server.user_id, resources).await;
        if let Err(error) = claimed {
            return Err(match error.kind {
                Kind::Conflict => Trouble::no_valid_host(&error.message),
                _ => error.into(),
            });
        }
        let (group, enabled) = {
            let mut conn = self.db.read().await.map_err(Error::from)?;
            let group = match &server.group_id {
                Some(id) => crate::server_groups::store::get(&mut conn, id).await?,
                None => None,
            };
            let host = self.host_row(&mut conn).await?;
            (group, host.is_none_or(|h| !h.disabled && !h.forced_down))
        };
        if !enabled {
            return Err(Trouble::no_valid_host("The compute service of the only host is disabled."));
        }
        let most = group.as_ref().and_then(|g| g.most_on_one_host());
        let ctx = acting_for(server);
        let host = &self.config.host;
        // Counting the members and becoming one is one transaction: two members may be scheduled at once.
        let placed = db::write!(self.db, |tx| {
            let Some(mut now) = store::get(tx, &server.id).await? else { return Ok(None) };
            if now.task_state != Some(TaskState::Scheduling) || now.deleted_at.is_some() {
                return Ok(None);
            }
            if let (Some(group), Some(most)) = (&group, most)
                && store::placed_members(tx, &group.id, &server.id).await? >= most
            {
                return Ok(Some(false));
            }
            now.host = Some(host.clone());
            now.task_state = Some(TaskState::Networking);
            store::save(tx, &ctx, "server.update", &now).await?;
            Ok::<_, Error>(Some(true))
        })?;
        match placed {
            None => Ok(false),
            Some(false) => Err(Trouble::no_valid_host(
                "The server group's anti-affinity forbids another member on the only host.",
            )),
            Some(true) => {
                server.host = Some(host.clone());
                server.task_state = Some(TaskState::Networking);
                Ok(true)
            }
        }
    }

    /// One port for each NIC, in order. A port made by an attempt that was cut off is found again, not made twice.
    async fn connect(&self, server: &Server, spec: &Spec) -> Result<Vec<PortView>, Trouble> {
        let ctx = acting_for(server);
        let zone = {
            let mut conn = self.db.read().await.map_err(Error::from)?;
            self.zone(&mut conn).await?
        };
        let mut known =
            self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        let mut ports = Vec::with_capacity(spec.nics.len());
        let mut missing = Vec::new();
        for nic in &spec.nics {
            let here = known.iter().position(|port| match &nic.port_id {
                Some(id) => port.id == *id,
                None => {
                    port.created_by_nova
                        && port.network_id == nic.network_id
                        && nic.fixed_ip.is_none_or(|ip| port.fixed_ips.iter().any(|f| f.address == ip))
                }
            });
            let port = match (here, &nic.port_id) {
                (Some(at), _) => Some(known.remove(at)),
                (None, Some(id)) => {
                    Some(self.neutron.bind_port(&ctx, id, &server.id, &server.hostname, &zone).await?)
                }
                (None, None) => {
                    missing.push(AllocatePort {
                        network_id: nic.network_id.clone(),
                        fixed_ip: nic.fixed_ip,
                        security_groups: spec.security_groups.clone(),
                        server_id: server.id.clone(),
                        hostname: server.hostname.clone(),
                        availability_zone: zone.clone(),
                    });
                    None
                }
            };
            ports.push(port);
        }
        let mut made = self.neutron.allocate_ports(&ctx, &missing).await?.into_iter();
        Ok(ports.into_iter().filter_map(|port| port.or_else(|| made.next())).collect())
    }

    async fn spawn(&self, server: &Server, spec: &mut Spec, ports: &[PortView]) -> Result<(), Trouble> {
        let networks = networks(ports);
        let Present { plan, disks, .. } = self.present_with(server, spec, ports.to_vec()).await?;
        let prepare = async {
            let _turn = self.starts.acquire().await;
            self.hypervisor.prepare(&plan).await
        };
        let (plugged, prepared) = tokio::join!(self.neutron.ensure_plugged(&networks), prepare);
        plugged?;
        prepared?;
        {
            let _turn = self.starts.acquire().await;
            self.hypervisor.start(&plan).await?;
        }
        self.disks_are_in(server, disks).await?;
        spec.admin_pass = None;
        let ids = ids(ports);
        let (status, row) =
            tokio::join!(self.neutron.set_port_status(&ids, true), self.become_active(server, spec),);
        status?;
        row?;
        tracing::info!(server = server.id, name = server.name, "the server is active");
        Ok(())
    }

    async fn become_active(&self, server: &Server, spec: &Spec) -> Result<bool> {
        let now = base::time::now();
        let boot = self.boot_id.clone();
        self.settle(
            server,
            |s| {
                s.vm_state = VmState::Active;
                s.task_state = None;
                s.power_state = PowerState::Running;
                s.launched_at = Some(now);
                s.boot_id = Some(boot.clone());
                s.attempts = 0;
                s.fault = None;
            },
            Some(spec),
            Some(End::Success),
        )
        .await
    }

    /// Undoes whatever a build has done; the row stays.
    pub(super) async fn give_back(&self, server: &Server) -> Result<()> {
        self.remove_machine(server).await?;
        let ctx = acting_for(server);
        db::write!(self.db, |tx| {
            let Some(mut now) = store::get(tx, &server.id).await? else { return Ok(()) };
            now.host = None;
            now.power_state = PowerState::NoState;
            store::save(tx, &ctx, "server.update", &now).await?;
            Ok::<_, Error>(())
        })
    }

    /// Machine, ports, volumes and claim: all that a server holds besides its row.
    pub(super) async fn remove_machine(&self, server: &Server) -> Result<()> {
        self.hypervisor.destroy(&server.id).await.map_err(Error::internal)?;
        let ctx = acting_for(server);
        let ports = self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        for port in &ports {
            if port.created_by_nova {
                self.neutron.delete_port(&ctx, &port.id).await?;
            } else {
                self.neutron.unbind_port(&ctx, &port.id).await?;
            }
        }
        self.release_volumes(server).await?;
        let work = store::spec(&mut *self.db.read().await?, &server.id).await?.work;
        if let Some(resize) = &work.resize {
            self.placement.release(&resize.uuid).await?;
        }
        // A shelved server's image is its disk, and one that is not filled yet will not be.
        let unfilled = work.snapshot.as_ref().map(|snapshot| &snapshot.image_id);
        for image in work.shelved.iter().chain(unfilled) {
            self.drop_image(server, image).await?;
        }
        self.placement.release(&server.id).await
    }

    /// The last write of a deletion.
    pub(super) async fn forget(&self, server: &Server) -> Result<()> {
        let ctx = acting_for(server);
        let at = base::time::now();
        db::write!(self.db, |tx| {
            let Some(mut now) = store::get(tx, &server.id).await? else { return Ok(()) };
            now.vm_state = VmState::Deleted;
            now.task_state = None;
            now.power_state = PowerState::NoState;
            now.terminated_at = Some(at);
            now.deleted_at = Some(at);
            store::save(tx, &ctx, "server.deleted", &now).await?;
            store::forget_spec(tx, &server.id).await?;
            actions::finish(tx, &server.id, None).await
        })
    }
}
