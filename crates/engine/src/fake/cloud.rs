//! The calls, as the engine makes them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use openstack::{
    ApplicationCredential, Capabilities, Connection, Flavor, FloatingIp, Image, Keypair, LoadBalancer,
    Network, NewApplicationCredential, NewFloatingIp, NewKeypair, NewNetwork, NewPort, NewRouter,
    NewSecurityGroup, NewSecurityGroupRule, NewServer, NewServerGroup, NewSubnet, Port, Result, Route,
    Router, Secret, SecurityGroup, SecurityGroupRule, Server, ServerGroup, Subnet, Taggable, Volume,
    VolumeBackup, VolumeSnapshot,
};

use super::{FakeCloud, MADE_OF, status, take};
use crate::Cloud;

#[async_trait]
impl Cloud for FakeCloud {
    fn cloud_name(&self) -> String {
        "fake".into()
    }
    fn project_id(&self) -> String {
        "project".into()
    }
    async fn capabilities(&self) -> Result<Capabilities> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let network_extensions =
            names(&["standard-attr-tag", "router", "extraroute", "allowed-address-pairs"]);
        let services = names(&["load-balancer", "block-storage", "key-manager"]);
        Ok(Capabilities { network_extensions, compute_microversion: (2, 96), services })
    }
    fn connection(&self) -> Result<Connection> {
        let auth_url = "http://172.24.4.1:5000/v3".to_owned();
        Ok(Connection { auth_url, region: None, interface: None, ca: None, insecure: false })
    }
    fn roles(&self) -> Vec<String> {
        vec!["admin".into(), "member".into()]
    }
    fn may_make_credentials(&self) -> bool {
        !self.lock().restricted
    }
    async fn compute_zones(&self) -> Result<Vec<String>> {
        self.read(|_| vec!["nova".to_owned()])
    }
    async fn volume_zones(&self) -> Result<Vec<String>> {
        self.read(|_| vec!["nova".to_owned()])
    }
    async fn application_credentials(&self) -> Result<Vec<ApplicationCredential>> {
        // The secret is told once.
        let known = |it: &ApplicationCredential| ApplicationCredential { secret: None, ..it.clone() };
        self.read(|things| things.credentials.iter().map(known).collect())
    }
    async fn create_application_credential(
        &self,
        new: &NewApplicationCredential,
    ) -> Result<ApplicationCredential> {
        self.change(|inner, id| {
            if inner.things.credentials.iter().any(|it| it.name == new.name) {
                return Err(status(409, "a credential of that name exists"));
            }
            let (name, description) = (new.name.clone(), new.description.clone());
            let secret = Some(format!("secret of {id}"));
            let made = ApplicationCredential { id, name, description, secret };
            inner.things.credentials.push(made.clone());
            Ok(made)
        })
    }
    async fn delete_application_credential(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.credentials, |it| it.id == id))
    }
    async fn load_balancers(&self) -> Result<Vec<LoadBalancer>> {
        if self.lock().no_load_balancers {
            return Err(status(403, "Policy does not allow this request to be performed."));
        }
        self.read(|things| things.load_balancers.clone())
    }
    /// Each look moves one that goes on, and at last its port goes with it.
    async fn load_balancer(&self, id: &str) -> Result<LoadBalancer> {
        self.read(|things| {
            let at = things.load_balancers.iter().position(|it| it.id == id)?;
            if things.load_balancers[at].provisioning_status == "PENDING_DELETE" {
                let gone = things.load_balancers.remove(at);
                things.ports.retain(|port| port.id != gone.vip_port_id);
                for ip in &mut things.floating_ips {
                    ip.port_id.take_if(|port| *port == gone.vip_port_id);
                }
                return Some(gone);
            }
            Some(things.load_balancers[at].clone())
        })?
        .ok_or_else(|| status(404, "no such load balancer"))
    }
    async fn delete_load_balancer(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            let found = inner.things.load_balancers.iter_mut().find(|it| it.id == id);
            let found = found.ok_or_else(|| status(404, "no such load balancer"))?;
            if found.provisioning_status != "ACTIVE" {
                return Err(status(409, "the load balancer is immutable"));
            }
            found.provisioning_status = "PENDING_DELETE".into();
            Ok(())
        })
    }
    async fn volumes(&self) -> Result<Vec<Volume>> {
        self.read(|things| things.volumes.clone())
    }
    async fn volume(&self, id: &str) -> Result<Volume> {
        let found = self.read(|things| things.volumes.iter().find(|it| it.id == id).cloned())?;
        found.ok_or_else(|| status(404, "no such volume"))
    }
    async fn delete_volume(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            if inner.things.snapshots.iter().any(|it| it.volume_id == id) {
                return Err(status(400, "the volume has snapshots"));
            }
            take(&mut inner.things.volumes, |it| it.id == id)
        })
    }
    async fn volume_snapshots(&self) -> Result<Vec<VolumeSnapshot>> {
        self.read(|things| things.snapshots.clone())
    }
    async fn volume_snapshot(&self, id: &str) -> Result<VolumeSnapshot> {
        let found = self.read(|things| things.snapshots.iter().find(|it| it.id == id).cloned())?;
        found.ok_or_else(|| status(404, "no such snapshot"))
    }
    async fn delete_volume_snapshot(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            if inner.things.volumes.iter().any(|it| it.metadata.get(MADE_OF).is_some_and(|of| of == id)) {
                // Accepted, and given up by the driver.
                return Ok(());
            }
            take(&mut inner.things.snapshots, |it| it.id == id)
        })
    }
    async fn volume_backups(&self) -> Result<Vec<VolumeBackup>> {
        self.read(|things| things.backups.clone())
    }
    async fn volume_backup(&self, id: &str) -> Result<VolumeBackup> {
        let found = self.read(|things| things.backups.iter().find(|it| it.id == id).cloned())?;
        found.ok_or_else(|| status(404, "no such backup"))
    }
    async fn delete_volume_backup(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.backups, |it| it.id == id))
    }
    async fn secrets(&self) -> Result<Vec<Secret>> {
        self.read(|things| things.secrets.clone())
    }
    async fn delete_secret(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.secrets, |it| it.id() == id))
    }
    async fn set_router_routes(&self, router: &str, routes: &[Route]) -> Result<()> {
        self.change(|inner, _| {
            let found = inner.things.routers.iter_mut().find(|it| it.id == router);
            found.ok_or_else(|| status(404, "no such router"))?.routes = routes.to_vec();
            Ok(())
        })
    }
    async fn networks(&self, filters: &[(&str, &str)]) -> Result<Vec<Network>> {
        let external = filters.contains(&("router:external", "true"));
        self.read(|things| things.networks.iter().filter(|it| !external || it.external).cloned().collect())
    }
    async fn subnets(&self, _: &[(&str, &str)]) -> Result<Vec<Subnet>> {
        self.read(|things| things.subnets.clone())
    }
    async fn routers(&self, _: &[(&str, &str)]) -> Result<Vec<Router>> {
        self.read(|things| things.routers.clone())
    }
    async fn ports(&self, filters: &[(&str, &str)]) -> Result<Vec<Port>> {
        let device = filters.iter().find(|(key, _)| *key == "device_id").map(|(_, id)| (*id).to_owned());
        self.read(|things| {
            things
                .ports
                .iter()
                .filter(|it| device.as_ref().is_none_or(|id| it.device_id == *id))
                .cloned()
                .collect()
        })
    }
    async fn floating_ips(&self, _: &[(&str, &str)]) -> Result<Vec<FloatingIp>> {
        self.read(|things| things.floating_ips.clone())
    }
    async fn security_groups(&self, _: &[(&str, &str)]) -> Result<Vec<SecurityGroup>> {
        self.read(|things| things.security_groups.clone())
    }
    async fn servers(&self, _: &[(&str, &str)]) -> Result<Vec<Server>> {
        self.read(|things| things.servers.clone())
    }
    async fn server_groups(&self) -> Result<Vec<ServerGroup>> {
        self.read(|things| things.server_groups.clone())
    }
    async fn keypairs(&self) -> Result<Vec<Keypair>> {
        self.read(|things| things.keypairs.clone())
    }
    async fn flavors(&self) -> Result<Vec<Flavor>> {
        let flavor = |id: &str, vcpus, ram| Flavor { id: id.into(), name: id.into(), vcpus, ram, disk: 20 };
        self.read(|_| vec![flavor("small", 1, 2048), flavor("medium", 2, 4096)])
    }
    async fn images(&self, _: &[(&str, &str)]) -> Result<Vec<Image>> {
        let name = "debian-13-kubernetes-v1.36.3".to_owned();
        let (min_disk, min_ram) = (4, 0);
        let other = Default::default();
        let (size, created_at) = (None, None);
        let image = Image {
            id: "image".into(),
            name,
            status: "active".into(),
            min_disk,
            min_ram,
            size,
            created_at,
            other,
        };
        self.read(|_| vec![image])
    }
    /// Each look moves a server on.
    async fn server(&self, id: &str) -> Result<Server> {
        self.read(|things| {
            let server = things.servers.iter_mut().find(|server| server.id == id)?;
            match server.status.as_str() {
                "BUILD" if server.fault.is_some() => server.status = "ERROR".into(),
                "BUILD" => server.status = "ACTIVE".into(),
                "GOING" => {
                    things.servers.retain(|server| server.id != id);
                    for port in things.ports.iter_mut().filter(|port| port.device_id == id) {
                        port.device_id.clear();
                    }
                    return None;
                }
                "DELETING" => server.status = "GOING".into(),
                _ => {}
            }
            Some(server.clone())
        })?
        .ok_or_else(|| status(404, "no such server"))
    }
    async fn console_log(&self, _: &str, _: u32) -> Result<String> {
        self.read(|_| "booting".to_owned())
    }
    async fn create_network(&self, new: &NewNetwork) -> Result<Network> {
        self.change(|inner, id| inner.create_network(id, new))
    }
    async fn create_subnet(&self, new: &NewSubnet) -> Result<Subnet> {
        self.change(|inner, id| inner.create_subnet(id, new))
    }
    async fn create_router(&self, new: &NewRouter) -> Result<Router> {
        self.change(|inner, id| inner.create_router(id, new))
    }
    async fn create_port(&self, new: &NewPort) -> Result<Port> {
        self.change(|inner, id| inner.create_port(id, new))
    }
    async fn create_floating_ip(&self, new: &NewFloatingIp) -> Result<FloatingIp> {
        self.change(|inner, id| inner.create_floating_ip(id, new))
    }
    async fn create_security_group(&self, new: &NewSecurityGroup) -> Result<SecurityGroup> {
        self.change(|inner, id| inner.create_security_group(id, new))
    }
    async fn create_security_group_rule(&self, new: &NewSecurityGroupRule) -> Result<SecurityGroupRule> {
        self.change(|inner, id| inner.create_security_group_rule(id, new))
    }
    async fn create_server(&self, new: &NewServer) -> Result<Server> {
        self.change(|inner, id| inner.create_server(id, new))
    }
    async fn create_server_group(&self, new: &NewServerGroup) -> Result<ServerGroup> {
        self.change(|inner, id| {
            let group = ServerGroup { id, name: new.name.clone() };
            inner.things.server_groups.push(group.clone());
            Ok(group)
        })
    }
    async fn create_keypair(&self, new: &NewKeypair) -> Result<Keypair> {
        self.change(|inner, _| {
            let keypair = Keypair { name: new.name.clone(), fingerprint: String::new() };
            inner.things.keypairs.push(keypair.clone());
            Ok(keypair)
        })
    }
    async fn add_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        self.change(|inner, id| inner.add_router_interface(id, router, subnet))
    }
    async fn remove_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        self.change(|inner, _| inner.remove_router_interface(router, subnet))
    }
    async fn set_floating_ip_port(&self, id: &str, port: Option<&str>) -> Result<FloatingIp> {
        self.change(|inner, _| inner.set_floating_ip_port(id, port))
    }
    async fn set_tags(&self, kind: Taggable, id: &str, tags: &[String]) -> Result<()> {
        self.change(|inner, _| inner.set_tags(kind, id, tags))
    }
    async fn delete_network(&self, id: &str) -> Result<()> {
        self.change(|inner, _| inner.delete_network(id))
    }
    async fn delete_subnet(&self, id: &str) -> Result<()> {
        self.change(|inner, _| inner.delete_subnet(id))
    }
    async fn delete_router(&self, id: &str) -> Result<()> {
        self.change(|inner, _| inner.delete_router(id))
    }
    async fn delete_port(&self, id: &str) -> Result<()> {
        self.change(|inner, _| inner.delete_port(id))
    }
    async fn delete_floating_ip(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.floating_ips, |ip| ip.id == id))
    }
    async fn delete_security_group(&self, id: &str) -> Result<()> {
        self.change(|inner, _| inner.delete_security_group(id))
    }
    async fn delete_server(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            let status_then = if inner.reclaims_later { "SOFT_DELETED" } else { "DELETING" };
            let server = inner.things.servers.iter_mut().find(|server| server.id == id);
            server.ok_or_else(|| status(404, "no such server"))?.status = status_then.into();
            Ok(())
        })
    }
    async fn force_delete_server(&self, id: &str) -> Result<()> {
        self.change(|inner, _| {
            let server = inner.things.servers.iter_mut().find(|server| server.id == id);
            server.ok_or_else(|| status(404, "no such server"))?.status = "DELETING".into();
            Ok(())
        })
    }
    async fn delete_server_group(&self, id: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.server_groups, |group| group.id == id))
    }
    async fn delete_keypair(&self, name: &str) -> Result<()> {
        self.change(|inner, _| take(&mut inner.things.keypairs, |keypair| keypair.name == name))
    }
}
