//! The only file that knows everyone: drivers, then services, then routers.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use base::Ctx;
use db::{Commits, Db};
use ipnet::{IpNet, Ipv4Net};
use web::Router;

use crate::config::{Config, Identity};
use crate::drivers::Fakes;
use crate::first_start::DemoUser;
use crate::serve;

/// The edges of the machine.
pub struct Drivers {
    pub hypervisor: Arc<dyn host::Hypervisor>,
    pub network: Arc<dyn host::Network>,
    pub volumes: Arc<dyn host::Volumes>,
    pub balancers: Arc<dyn host::LoadBalancers>,
    /// The same, when they are the fake ones.
    pub fakes: Option<Fakes>,
}

pub struct Cloud {
    pub db: Arc<Db>,
    pub keystone: Arc<keystone::Keystone>,
    pub barbican: Arc<barbican::Barbican>,
    pub glance: Arc<glance::Glance>,
    pub cinder: Arc<cinder::Cinder>,
    pub placement: Arc<placement::Placement>,
    pub neutron: Arc<neutron::Neutron>,
    pub nova: Arc<nova::Nova>,
    pub octavia: Arc<octavia::Octavia>,
    pub drivers: Drivers,
    pub router: Router,
    /// The external network's id, after [`Cloud::start`].
    pub external: OnceLock<String>,
    /// None: this cloud has no demo project.
    pub demo: Option<DemoUser>,
}

/// What projects' subnets are cut from by default: apart from the demo project's, and from what Kubernetes takes.
const SUBNETS_FROM: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 32, 0, 0), 12);

/// How long a token lives.
pub const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);

/// One store in the data directory, and those that were asked for.
fn images(config: &Config) -> glance::Config {
    let mut images = glance::Config::at(config.data.images());
    images.stores.extend(config.image_stores.iter().map(|(id, dir)| glance::Store {
        id: id.clone(),
        description: format!("files in {dir}"),
        dir: dir.clone(),
    }));
    images.download.allowed.clone_from(&config.image_import_allow);
    images
}

/// Whoever signs for the APIs, so that guests reach them as clients of this machine do.
fn guests_trust(config: &Config) -> String {
    let Some(path) = config.cacert() else { return String::new() };
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        tracing::warn!(%path, %error, "guests are not told whom to trust for the APIs");
        String::new()
    })
}

/// Opens the database, joins the services and makes the rows of a first start. Nothing is served and no reconciler
/// runs yet: [`Cloud::start`].
pub async fn assemble(config: &Config, drivers: Drivers, password: &str) -> anyhow::Result<Cloud> {
    let commits = if config.simulate { Commits::Quick } else { Commits::Durable };
    let db = Db::open(&config.data.database(), commits).await.context("cannot open the database")?;
    let db = Arc::new(db);
    db.migrate(&[
        keystone::MIGRATIONS,
        barbican::MIGRATIONS,
        glance::MIGRATIONS,
        cinder::MIGRATIONS,
        placement::MIGRATIONS,
        neutron::MIGRATIONS,
        nova::MIGRATIONS,
        octavia::MIGRATIONS,
    ])
    .await
    .context("cannot bring the database up to date")?;

    let first_start = !Identity::read(&config.data)?.unwrap_or_default().demo_made;
    let keystone = keystone::Keystone::new(
        db.clone(),
        keystone::Config {
            key_dir: config.data.keys(),
            token_ttl: TOKEN_TTL,
            security: config.security.clone(),
        },
    )
    .await?;
    let barbican = barbican::Barbican::open(db.clone(), &config.data.secrets_key()).await?;
    let glance = glance::Glance::open(db.clone(), images(config)).await?;
    let cinder = cinder::Cinder::new(
        db.clone(),
        glance.clone(),
        barbican.clone(),
        drivers.volumes.clone(),
        cinder::Config { host: config.host.clone(), availability_zone: "nova".into() },
    )
    .await?;
    let placement = placement::Placement::new(db.clone());
    let neutron = neutron::Neutron::new(
        db.clone(),
        drivers.network.clone(),
        neutron::Config {
            host: config.host.clone(),
            external_gateway_hosts: true,
            dns_domain: String::new(),
            default_mtu: 1500,
            quotas: config.network_quotas.clone(),
        },
    );
    let nova = nova::Nova::new(
        db.clone(),
        placement.clone(),
        glance.clone(),
        neutron.clone(),
        cinder.clone(),
        drivers.hypervisor.clone(),
        nova::Config {
            host: config.host.clone(),
            availability_zone: "nova".into(),
            region: config.region.clone(),
            dns_domain: String::new(),
            guests_trust: guests_trust(config),
            reclaim: config.reclaim,
        },
    );
    drivers.network.serve_metadata(nova.clone());
    cinder.serve_guests(nova.clone());
    glance.serve_keys(cinder.clone());
    let octavia =
        octavia::Octavia::new(db.clone(), neutron.clone(), barbican.clone(), drivers.balancers.clone());

    let url = config.public_url();
    let endpoint =
        |kind: &str, name: &str, path: &str| (kind.to_owned(), name.to_owned(), format!("{url}{path}"));
    let demo = keystone
        .bootstrap(keystone::Bootstrap {
            admin_password: password.to_owned(),
            demo_password: config.data.read_demo_password().filter(|_| config.demo && first_start),
            region: config.region.clone(),
            endpoints: vec![
                endpoint("identity", "keystone", "/identity/v3"),
                endpoint("compute", "nova", "/compute/v2.1"),
                endpoint("network", "neutron", "/network"),
                endpoint("image", "glance", "/image"),
                endpoint("block-storage", "cinder", "/volume/v3"),
                // Its name before there were official ones, which older clients ask for.
                endpoint("volumev3", "cinderv3", "/volume/v3"),
                endpoint("placement", "placement", "/placement"),
                endpoint("key-manager", "barbican", "/key-manager"),
                endpoint("load-balancer", "octavia", "/load-balancer"),
            ],
        })
        .await?
        .map(|(user_id, project_id)| DemoUser { user_id, project_id });

    let gate: web::Gate = keystone.clone();
    let router = Router::new()
        .nest("/identity", keystone.router(gate.clone()))
        .nest("/compute", nova.router(gate.clone()))
        .nest("/console", nova.consoles())
        .nest("/network", neutron.router(gate.clone()))
        .nest("/image", glance.router(gate.clone()))
        .nest("/volume", cinder.router(gate.clone()))
        .nest("/key-manager", barbican.router(gate.clone()))
        .nest("/load-balancer", octavia.router(gate.clone()))
        .nest("/placement", placement.router(gate));
    let router = serve::fronted(router);
    let external = OnceLock::new();
    Ok(Cloud {
        db,
        keystone,
        barbican,
        glance,
        cinder,
        placement,
        neutron,
        nova,
        octavia,
        drivers,
        router,
        external,
        demo,
    })
}

impl Cloud {
    /// First-start rows, this host's inventory, then the reconcilers.
    pub async fn start(&self, config: &Config) -> anyhow::Result<()> {
        let ctx = Ctx::internal("first-start");
        let capacity = self.drivers.hypervisor.capacity().await?;
        let provider = placement::Provider { uuid: host_uuid(config)?, name: capacity.hostname.clone() };
        self.placement
            .set_inventory(
                &provider,
                capacity.vcpus,
                capacity.memory_mib,
                capacity.disk_gib,
                placement::Ratios::default(),
            )
            .await?;
        self.nova.ensure_flavors(&ctx).await?;
        let hosts: Vec<_> = config.external.hosts().collect();
        let pool = (hosts.get(1).copied(), hosts.last().copied());
        let mut external = Vec::new();
        if let (Some(first), Some(last)) = pool {
            let id = self
                .neutron
                .ensure_external(
                    &ctx,
                    "public",
                    config.external.into(),
                    config.gateway().into(),
                    (first.into(), last.into()),
                    Some(IpNet::V4(SUBNETS_FROM)),
                )
                .await?;
            self.external.get_or_init(|| id.clone());
            external.push(id);
        }
        self.neutron.start().await;
        // This machine's end of the external network carries the address that guests and clients will use.
        self.neutron.ensure_plugged(&external).await?;
        self.glance.start().await;
        self.cinder.start().await;
        self.nova.start().await;
        self.octavia.start().await;
        Ok(())
    }
}

impl Cloud {
    /// No reconciler takes new work; machines and networks stay as they are.
    pub fn stop(&self) {
        self.nova.stop();
        self.cinder.stop();
        self.octavia.stop();
        self.neutron.stop();
    }

    /// Stops every virtual machine (those that ran will run again at the next start) and takes the networks down.
    pub async fn shut_down(&self) -> anyhow::Result<()> {
        self.nova.quiesce().await?;
        self.cinder.stop();
        self.glance.stop();
        self.octavia.stop();
        remove_balancers(self.drivers.balancers.as_ref()).await?;
        self.neutron.stop();
        remove_networks(self.drivers.network.as_ref()).await
    }
}

/// Takes the load balancers off this machine; rows stay.
pub async fn remove_balancers(balancers: &dyn host::LoadBalancers) -> anyhow::Result<()> {
    for id in &balancers.list().await? {
        balancers.remove(id).await.with_context(|| format!("cannot remove load balancer {id}"))?;
    }
    Ok(())
}

/// Takes everything of the network plane off this machine; rows stay.
pub async fn remove_networks(network: &dyn host::Network) -> anyhow::Result<()> {
    let present = network.list().await?;
    for id in &present.routers {
        network.remove_router(id).await.with_context(|| format!("cannot remove router {id}"))?;
    }
    for id in &present.networks {
        network.remove_network(id).await.with_context(|| format!("cannot remove network {id}"))?;
    }
    Ok(())
}

/// The host's id in Placement: made once, kept in the data directory.
pub fn host_uuid(config: &Config) -> anyhow::Result<String> {
    let path = config.data.path().join("host-uuid");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let id = base::id::uuid();
            std::fs::write(&path, format!("{id}\n")).with_context(|| format!("cannot write {path}"))?;
            Ok(id)
        }
        Err(e) => Err(e).with_context(|| format!("cannot read {path}")),
    }
}
