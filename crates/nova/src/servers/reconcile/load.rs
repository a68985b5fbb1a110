//! What a machine's plan is made from.

use std::collections::BTreeMap;

use host::plan::VmPlan;
use neutron::PortView;

use super::plan::plan;
use super::trouble::Trouble;
use crate::Nova;
use crate::servers::{Server, Spec, in_order, store};

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

    /// A built server's machine, as its row and ports are now.
    pub(super) async fn present_plan(&self, server: &Server) -> Result<(VmPlan, Vec<PortView>), Trouble> {
        let mut spec = {
            let mut conn = self.db.read().await.map_err(base::Error::from)?;
            store::spec(&mut conn, &server.id).await?
        };
        self.find_image(server, &mut spec).await?;
        self.plan_of(server, &spec).await
    }

    pub(super) async fn plan_of(
        &self,
        server: &Server,
        spec: &Spec,
    ) -> Result<(VmPlan, Vec<PortView>), Trouble> {
        let zone = {
            let mut conn = self.db.read().await.map_err(base::Error::from)?;
            self.zone(&mut conn).await?
        };
        let ports = self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        let ports = in_order(spec, ports);
        Ok((plan(server, spec, &ports, &zone, &self.config), ports))
    }

    /// For counters, which need to know what the machine is made of.
    pub(crate) async fn plan_for_diagnostics(&self, server: &Server) -> base::Result<VmPlan> {
        let spec = store::spec(&mut *self.db.read().await?, &server.id).await?;
        let (plan, _) = self.plan_of(server, &spec).await.map_err(|t| base::Error::internal(t.told().1))?;
        Ok(plan)
    }

    /// Of the image that the server was made from; none when it is gone.
    pub(crate) async fn image_properties(&self, server: &Server) -> BTreeMap<String, String> {
        let Some(id) = &server.image_id else { return BTreeMap::new() };
        let image = self.glance.image(&super::acting_for(server), id).await;
        image.map(|image| image.properties).unwrap_or_default()
    }
}
