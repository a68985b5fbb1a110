//! What a machine's plan is made from.

use std::collections::BTreeMap;

use host::plan::VmPlan;
use neutron::PortView;

use super::disks::Disks;
use super::plan::plan;
use super::trouble::Trouble;
use crate::Nova;
use crate::servers::{Server, Spec, in_order, store};

/// A machine's plan, and what it takes to be true until the machine is started.
pub(super) struct Present {
    pub plan: VmPlan,
    pub ports: Vec<PortView>,
    pub disks: Disks,
}

impl Nova {
    /// Where the root disk comes from. Known for good once a disk was made from it; a server that boots from a volume has
    /// none.
    pub(super) async fn find_image(&self, server: &Server, spec: &mut Spec) -> Result<(), Trouble> {
        let Some(id) = server.image_id.as_deref().filter(|_| spec.image_file.is_none()) else {
            return Ok(());
        };
        let image = self.glance.image(&super::acting_for(server), id).await?;
        spec.image_file = Some(self.glance.file(&image).into_string());
        spec.image_format = Some(image.disk_format.unwrap_or_else(|| "raw".into()));
        Ok(())
    }

    /// A built server's machine, as its row, ports and volumes are now.
    pub(super) async fn present(&self, server: &Server) -> Result<Present, Trouble> {
        let mut spec = {
            let mut conn = self.db.read().await.map_err(base::Error::from)?;
            store::spec(&mut conn, &server.id).await?
        };
        self.find_image(server, &mut spec).await?;
        self.present_of(server, &spec).await
    }

    pub(super) async fn present_of(&self, server: &Server, spec: &Spec) -> Result<Present, Trouble> {
        let ports = self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        let ports = in_order(spec, ports);
        self.present_with(server, spec, ports).await
    }

    pub(super) async fn present_with(
        &self,
        server: &Server,
        spec: &Spec,
        ports: Vec<PortView>,
    ) -> Result<Present, Trouble> {
        let zone = {
            let mut conn = self.db.read().await.map_err(base::Error::from)?;
            self.zone(&mut conn).await?
        };
        let disks = self.disks(server).await?;
        let plan = plan(server, spec, &ports, &disks.list, &zone, &self.config);
        Ok(Present { plan, ports, disks })
    }

    /// For counters, which need to know what the machine is made of.
    pub(crate) async fn plan_for_diagnostics(&self, server: &Server) -> base::Result<VmPlan> {
        let spec = store::spec(&mut *self.db.read().await?, &server.id).await?;
        let present = self.present_of(server, &spec).await;
        Ok(present.map_err(|t| base::Error::internal(t.told().1))?.plan)
    }

    /// Of the image that the server was made from; none when it is gone.
    pub(crate) async fn image_properties(&self, server: &Server) -> BTreeMap<String, String> {
        let Some(id) = &server.image_id else { return BTreeMap::new() };
        let image = self.glance.image(&super::acting_for(server), id).await;
        image.map(|image| image.properties).unwrap_or_default()
    }
}
