//! What the engine asks of a cloud, as a trait: the tests' cloud lives in memory.
//!
//! The methods are those of [`openstack::Client`], one request each, so that a run can be cut anywhere between two.

use async_trait::async_trait;
use openstack::{
    ApplicationCredential, Connection, Flavor, FloatingIp, Image, Keypair, LoadBalancer, Network,
    NewApplicationCredential, NewFloatingIp, NewKeypair, NewNetwork, NewPort, NewRouter, NewSecurityGroup,
    NewSecurityGroupRule, NewServer, NewServerGroup, NewSubnet, Port, Result, Route, Router, Secret,
    SecurityGroup, SecurityGroupRule, Server, ServerGroup, Subnet, Taggable, Volume, VolumeBackup,
    VolumeSnapshot,
};

#[async_trait]
pub trait Cloud: Send + Sync {
    /// The cloud's name in clouds.yaml.
    fn cloud_name(&self) -> String;
    fn project_id(&self) -> String;
    /// By what the cluster's controllers reach the cloud.
    fn connection(&self) -> Result<Connection>;
    /// The names of the roles that we act with.
    fn roles(&self) -> Vec<String>;
    /// Whoever came by a restricted application credential may make no other.
    fn may_make_credentials(&self) -> bool;
    async fn capabilities(&self) -> Result<openstack::Capabilities>;
    /// The names of Nova's zones where a machine can start now, and of Cinder's.
    async fn compute_zones(&self) -> Result<Vec<String>>;
    async fn volume_zones(&self) -> Result<Vec<String>>;
    async fn application_credentials(&self) -> Result<Vec<ApplicationCredential>>;
    async fn load_balancers(&self) -> Result<Vec<LoadBalancer>>;
    async fn load_balancer(&self, id: &str) -> Result<LoadBalancer>;
    async fn volumes(&self) -> Result<Vec<Volume>>;
    async fn volume(&self, id: &str) -> Result<Volume>;
    async fn volume_snapshots(&self) -> Result<Vec<VolumeSnapshot>>;
    async fn volume_snapshot(&self, id: &str) -> Result<VolumeSnapshot>;
    async fn volume_backups(&self) -> Result<Vec<VolumeBackup>>;
    async fn volume_backup(&self, id: &str) -> Result<VolumeBackup>;
    async fn secrets(&self) -> Result<Vec<Secret>>;
    async fn networks(&self, filters: &[(&str, &str)]) -> Result<Vec<Network>>;
    async fn subnets(&self, filters: &[(&str, &str)]) -> Result<Vec<Subnet>>;
    async fn routers(&self, filters: &[(&str, &str)]) -> Result<Vec<Router>>;
    async fn ports(&self, filters: &[(&str, &str)]) -> Result<Vec<Port>>;
    async fn floating_ips(&self, filters: &[(&str, &str)]) -> Result<Vec<FloatingIp>>;
    async fn security_groups(&self, filters: &[(&str, &str)]) -> Result<Vec<SecurityGroup>>;
    async fn servers(&self, filters: &[(&str, &str)]) -> Result<Vec<Server>>;
    async fn server_groups(&self) -> Result<Vec<ServerGroup>>;
    async fn keypairs(&self) -> Result<Vec<Keypair>>;
    async fn flavors(&self) -> Result<Vec<Flavor>>;
    async fn images(&self, filters: &[(&str, &str)]) -> Result<Vec<Image>>;
    async fn server(&self, id: &str) -> Result<Server>;
    async fn console_log(&self, id: &str, lines: u32) -> Result<String>;
    async fn create_application_credential(
        &self,
        new: &NewApplicationCredential,
    ) -> Result<ApplicationCredential>;
    async fn create_network(&self, new: &NewNetwork) -> Result<Network>;
    async fn create_subnet(&self, new: &NewSubnet) -> Result<Subnet>;
    async fn create_router(&self, new: &NewRouter) -> Result<Router>;
    async fn create_port(&self, new: &NewPort) -> Result<Port>;
    async fn create_floating_ip(&self, new: &NewFloatingIp) -> Result<FloatingIp>;
    async fn create_security_group(&self, new: &NewSecurityGroup) -> Result<SecurityGroup>;
    async fn create_security_group_rule(&self, new: &NewSecurityGroupRule) -> Result<SecurityGroupRule>;
    async fn create_server(&self, new: &NewServer) -> Result<Server>;
    async fn create_server_group(&self, new: &NewServerGroup) -> Result<ServerGroup>;
    async fn create_keypair(&self, new: &NewKeypair) -> Result<Keypair>;
    async fn add_router_interface(&self, router: &str, subnet: &str) -> Result<()>;
    async fn remove_router_interface(&self, router: &str, subnet: &str) -> Result<()>;
    async fn set_floating_ip_port(&self, id: &str, port: Option<&str>) -> Result<FloatingIp>;
    async fn set_router_routes(&self, router: &str, routes: &[Route]) -> Result<()>;
    async fn set_tags(&self, kind: Taggable, id: &str, tags: &[String]) -> Result<()>;
    async fn delete_application_credential(&self, id: &str) -> Result<()>;
    async fn delete_load_balancer(&self, id: &str) -> Result<()>;
    async fn delete_volume(&self, id: &str) -> Result<()>;
    async fn delete_volume_snapshot(&self, id: &str) -> Result<()>;
    async fn delete_volume_backup(&self, id: &str) -> Result<()>;
    async fn delete_secret(&self, id: &str) -> Result<()>;
    async fn delete_network(&self, id: &str) -> Result<()>;
    async fn delete_subnet(&self, id: &str) -> Result<()>;
    async fn delete_router(&self, id: &str) -> Result<()>;
    async fn delete_port(&self, id: &str) -> Result<()>;
    async fn delete_floating_ip(&self, id: &str) -> Result<()>;
    async fn delete_security_group(&self, id: &str) -> Result<()>;
    async fn delete_server(&self, id: &str) -> Result<()>;
    async fn force_delete_server(&self, id: &str) -> Result<()>;
    async fn delete_server_group(&self, id: &str) -> Result<()>;
    async fn delete_keypair(&self, name: &str) -> Result<()>;
}

#[async_trait]
impl Cloud for openstack::Client {
    fn cloud_name(&self) -> String {
        openstack::Client::cloud_name(self).to_owned()
    }
    fn connection(&self) -> Result<Connection> {
        openstack::Client::connection(self)
    }
    fn roles(&self) -> Vec<String> {
        openstack::Client::roles(self)
    }
    fn may_make_credentials(&self) -> bool {
        openstack::Client::may_make_credentials(self)
    }
    async fn compute_zones(&self) -> Result<Vec<String>> {
        let zones = openstack::Client::availability_zones(self).await?;
        Ok(zones.into_iter().filter(|zone| zone.available).map(|zone| zone.name).collect())
    }
    async fn volume_zones(&self) -> Result<Vec<String>> {
        openstack::Client::volume_zones(self).await
    }
    async fn application_credentials(&self) -> Result<Vec<ApplicationCredential>> {
        openstack::Client::application_credentials(self).await
    }
    async fn load_balancers(&self) -> Result<Vec<LoadBalancer>> {
        openstack::Client::load_balancers(self).await
    }
    async fn load_balancer(&self, id: &str) -> Result<LoadBalancer> {
        openstack::Client::load_balancer(self, id).await
    }
    async fn volumes(&self) -> Result<Vec<Volume>> {
        openstack::Client::volumes(self).await
    }
    async fn volume(&self, id: &str) -> Result<Volume> {
        openstack::Client::volume(self, id).await
    }
    async fn volume_snapshots(&self) -> Result<Vec<VolumeSnapshot>> {
        openstack::Client::volume_snapshots(self).await
    }
    async fn volume_snapshot(&self, id: &str) -> Result<VolumeSnapshot> {
        openstack::Client::volume_snapshot(self, id).await
    }
    async fn create_application_credential(
        &self,
        new: &NewApplicationCredential,
    ) -> Result<ApplicationCredential> {
        openstack::Client::create_application_credential(self, new).await
    }
    async fn set_router_routes(&self, router: &str, routes: &[Route]) -> Result<()> {
        openstack::Client::set_router_routes(self, router, routes).await
    }
    async fn delete_application_credential(&self, id: &str) -> Result<()> {
        openstack::Client::delete_application_credential(self, id).await
    }
    async fn delete_load_balancer(&self, id: &str) -> Result<()> {
        openstack::Client::delete_load_balancer(self, id).await
    }
    async fn delete_volume(&self, id: &str) -> Result<()> {
        openstack::Client::delete_volume(self, id).await
    }
    async fn delete_volume_snapshot(&self, id: &str) -> Result<()> {
        openstack::Client::delete_volume_snapshot(self, id).await
    }
    async fn volume_backups(&self) -> Result<Vec<VolumeBackup>> {
        openstack::Client::volume_backups(self).await
    }
    async fn volume_backup(&self, id: &str) -> Result<VolumeBackup> {
        openstack::Client::volume_backup(self, id).await
    }
    async fn secrets(&self) -> Result<Vec<Secret>> {
        openstack::Client::secrets(self).await
    }
    async fn delete_volume_backup(&self, id: &str) -> Result<()> {
        openstack::Client::delete_volume_backup(self, id).await
    }
    async fn delete_secret(&self, id: &str) -> Result<()> {
        openstack::Client::delete_secret(self, id).await
    }
    fn project_id(&self) -> String {
        openstack::Client::project_id(self).to_owned()
    }
    async fn capabilities(&self) -> Result<openstack::Capabilities> {
        openstack::Client::capabilities(self).await.cloned()
    }
    async fn networks(&self, filters: &[(&str, &str)]) -> Result<Vec<Network>> {
        openstack::Client::networks(self, filters).await
    }
    async fn subnets(&self, filters: &[(&str, &str)]) -> Result<Vec<Subnet>> {
        openstack::Client::subnets(self, filters).await
    }
    async fn routers(&self, filters: &[(&str, &str)]) -> Result<Vec<Router>> {
        openstack::Client::routers(self, filters).await
    }
    async fn ports(&self, filters: &[(&str, &str)]) -> Result<Vec<Port>> {
        openstack::Client::ports(self, filters).await
    }
    async fn floating_ips(&self, filters: &[(&str, &str)]) -> Result<Vec<FloatingIp>> {
        openstack::Client::floating_ips(self, filters).await
    }
    async fn security_groups(&self, filters: &[(&str, &str)]) -> Result<Vec<SecurityGroup>> {
        openstack::Client::security_groups(self, filters).await
    }
    async fn servers(&self, filters: &[(&str, &str)]) -> Result<Vec<Server>> {
        openstack::Client::servers(self, filters).await
    }
    async fn server_groups(&self) -> Result<Vec<ServerGroup>> {
        openstack::Client::server_groups(self).await
    }
    async fn keypairs(&self) -> Result<Vec<Keypair>> {
        openstack::Client::keypairs(self).await
    }
    async fn flavors(&self) -> Result<Vec<Flavor>> {
        openstack::Client::flavors(self).await
    }
    async fn images(&self, filters: &[(&str, &str)]) -> Result<Vec<Image>> {
        openstack::Client::images(self, filters).await
    }
    async fn server(&self, id: &str) -> Result<Server> {
        openstack::Client::server(self, id).await
    }
    async fn console_log(&self, id: &str, lines: u32) -> Result<String> {
        openstack::Client::console_log(self, id, lines).await
    }
    async fn create_network(&self, new: &NewNetwork) -> Result<Network> {
        openstack::Client::create_network(self, new).await
    }
    async fn create_subnet(&self, new: &NewSubnet) -> Result<Subnet> {
        openstack::Client::create_subnet(self, new).await
    }
    async fn create_router(&self, new: &NewRouter) -> Result<Router> {
        openstack::Client::create_router(self, new).await
    }
    async fn create_port(&self, new: &NewPort) -> Result<Port> {
        openstack::Client::create_port(self, new).await
    }
    async fn create_floating_ip(&self, new: &NewFloatingIp) -> Result<FloatingIp> {
        openstack::Client::create_floating_ip(self, new).await
    }
    async fn create_security_group(&self, new: &NewSecurityGroup) -> Result<SecurityGroup> {
        openstack::Client::create_security_group(self, new).await
    }
    async fn create_security_group_rule(&self, new: &NewSecurityGroupRule) -> Result<SecurityGroupRule> {
        openstack::Client::create_security_group_rule(self, new).await
    }
    async fn create_server(&self, new: &NewServer) -> Result<Server> {
        openstack::Client::create_server(self, new).await
    }
    async fn create_server_group(&self, new: &NewServerGroup) -> Result<ServerGroup> {
        openstack::Client::create_server_group(self, new).await
    }
    async fn create_keypair(&self, new: &NewKeypair) -> Result<Keypair> {
        openstack::Client::create_keypair(self, new).await
    }
    async fn add_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        openstack::Client::add_router_interface(self, router, subnet).await
    }
    async fn remove_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        openstack::Client::remove_router_interface(self, router, subnet).await
    }
    async fn set_floating_ip_port(&self, id: &str, port: Option<&str>) -> Result<FloatingIp> {
        openstack::Client::set_floating_ip_port(self, id, port).await
    }
    async fn set_tags(&self, kind: Taggable, id: &str, tags: &[String]) -> Result<()> {
        openstack::Client::set_tags(self, kind, id, tags).await
    }
    async fn delete_network(&self, id: &str) -> Result<()> {
        openstack::Client::delete_network(self, id).await
    }
    async fn delete_subnet(&self, id: &str) -> Result<()> {
        openstack::Client::delete_subnet(self, id).await
    }
    async fn delete_router(&self, id: &str) -> Result<()> {
        openstack::Client::delete_router(self, id).await
    }
    async fn delete_port(&self, id: &str) -> Result<()> {
        openstack::Client::delete_port(self, id).await
    }
    async fn delete_floating_ip(&self, id: &str) -> Result<()> {
        openstack::Client::delete_floating_ip(self, id).await
    }
    async fn delete_security_group(&self, id: &str) -> Result<()> {
        openstack::Client::delete_security_group(self, id).await
    }
    async fn delete_server(&self, id: &str) -> Result<()> {
        openstack::Client::delete_server(self, id).await
    }
    async fn force_delete_server(&self, id: &str) -> Result<()> {
        openstack::Client::force_delete_server(self, id).await
    }
    async fn delete_server_group(&self, id: &str) -> Result<()> {
        openstack::Client::delete_server_group(self, id).await
    }
    async fn delete_keypair(&self, name: &str) -> Result<()> {
        openstack::Client::delete_keypair(self, name).await
    }
}
