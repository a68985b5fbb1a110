//! What a machine's plan is made from.

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
        let (mut spec, zone) = {
            let mut conn = self.db.read().await.map_err(base::Error::from)?;
            (store::spec(&mut conn, &server.id).await?, self.zone(&mut conn).await?)
        };
        self.find_image(server, &mut spec).await?;
        let ports = self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        let ports = in_order(&spec, ports);
        Ok((plan(server, &spec, &ports, &zone, &self.config.dns_domain), ports))
    }
}
