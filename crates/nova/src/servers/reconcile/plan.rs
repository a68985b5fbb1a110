//! The machine that a row describes, as the driver wants to hear it.

use camino::Utf8PathBuf;
use host::plan::{NicPlan, RootDisk, VmPlan};
use neutron::PortView;

use super::trouble::Trouble;
use crate::Nova;
use crate::metadata::Guest;
use crate::servers::{Server, Spec, in_order, view};

impl Nova {
    /// Where the root disk comes from. Known for good once a disk was made from it.
    pub(super) async fn find_image(&self, server: &Server, spec: &mut Spec) -> Result<(), Trouble> {
        if spec.image_file.is_some() {
            return Ok(());
        }
        let id = server.image_id.as_deref().unwrap_or_default();
        let image = self.glance.image(&super::acting_for(server), id).await?;
        spec.image_file = Some(self.glance.file(&image).into_string());
        spec.image_format = Some(image.disk_format.unwrap_or_else(|| "raw".into()));
        Ok(())
    }

    /// `ports` in the order of the NICs.
    pub(super) fn plan(&self, server: &Server, spec: &Spec, ports: &[PortView], zone: &str) -> VmPlan {
        let flavor = &server.flavor;
        let nics = ports.iter().map(|port| NicPlan {
            port_id: port.id.clone(),
            network_id: port.network_id.clone(),
            mac: port.mac.clone(),
            mtu: port.mtu,
        });
        let config_drive = server
            .config_drive
            .then(|| Guest { server, spec, ports, zone, domain: &self.config.dns_domain }.config_drive());
        VmPlan {
            id: server.id.clone(),
            name: server.name.clone(),
            vcpus: u32::try_from(flavor.vcpus).unwrap_or(u32::MAX),
            memory_mib: u64::try_from(flavor.memory_mib).unwrap_or(0),
            root: RootDisk {
                image: Utf8PathBuf::from(spec.image_file.clone().unwrap_or_default()),
                image_format: spec.image_format.clone().unwrap_or_default(),
                size_gib: u64::try_from(flavor.root_gib).unwrap_or(0),
            },
            nics: nics.collect(),
            config_drive,
        }
    }

    /// A built server's machine, as its row and ports are now.
    pub(super) async fn present_plan(&self, server: &Server) -> Result<(VmPlan, Vec<PortView>), Trouble> {
        let (mut spec, zone) = {
            let mut conn = self.db.read().await.map_err(base::Error::from)?;
            (crate::servers::store::spec(&mut conn, &server.id).await?, self.zone(&mut conn).await?)
        };
        self.find_image(server, &mut spec).await?;
        let ports = self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        let ports = in_order(&spec, ports);
        Ok((self.plan(server, &spec, &ports, &zone), ports))
    }
}

pub(super) fn networks(ports: &[PortView]) -> Vec<String> {
    let mut ids: Vec<String> = ports.iter().map(|p| p.network_id.clone()).collect();
    ids.sort();
    ids.dedup();
    ids
}

pub(super) fn ids(ports: &[PortView]) -> Vec<String> {
    ports.iter().map(|p| p.id.clone()).collect()
}

/// For logs.
pub(super) fn shown(server: &Server) -> String {
    format!("{} ({})", view::instance_name(server), server.name)
}
