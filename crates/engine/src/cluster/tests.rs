//! The engine is killed at arbitrary requests, before or after the cloud has carried them out, any number of times.

use std::time::Duration;

use camino::Utf8PathBuf;
use std::collections::BTreeMap;

use openstack::{
    Deadline, FixedIp, FloatingIp, LoadBalancer, Network, Port, Route, Secret, SecurityGroup, Volume,
    VolumeBackup, VolumeSnapshot,
};
use proptest::prelude::*;

use super::{Options, delete_cluster, forget_cluster, list_clusters, remains_of};
use crate::execute::Executor;
use crate::fake::{FakeCloud, MADE_OF, Things};
use crate::observe::{Looking, observe};
use crate::pki::{Pki, Token};
use crate::plan::{plan_create, sample};
use crate::state::{ClusterState, Phase, Secrets, Store};
use crate::{Cloud, Error, Result, Silent, Wanted};

struct Bench {
    _dir: tempfile::TempDir,
    cloud: FakeCloud,
    store: Store,
    options: Options,
    wanted: Wanted,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let store = Store::at(root.join("clusters"));
        let options = Options {
            timeout: Duration::from_secs(600),
            kubeconfig: Some(root.join("kubeconfig")),
            ..Options::default()
        };
        let bench =
            Self { _dir: dir, cloud: FakeCloud::default(), store, options, wanted: sample::wanted(2) };
        let _lock = bench.store.lock("demo").unwrap();
        bench
            .store
            .save_secrets(
                "demo",
                &Secrets { pki: Pki::generate().unwrap(), token: Token::generate(), credential: None },
            )
            .unwrap();
        let state = ClusterState {
            phase: Phase::Creating,
            cloud: bench.cloud.cloud_name(),
            project: bench.cloud.project_id(),
            created: jiff::Timestamp::UNIX_EPOCH,
            server: None,
            auth_url: None,
            kept_volumes: Default::default(),
            kept_addresses: Default::default(),
            wanted: bench.wanted.clone(),
        };
        bench.store.save_cluster(&state).unwrap();
        bench
    }

    /// A cluster whose controllers have made things, and what they call it.
    async fn with_things_of_controllers() -> (Self, String) {
        let bench = Self::new();
        bench.create().await.unwrap();
        let ours = bench.wanted.cluster_name();
        bench.cloud.edit(|things| made_by_controllers(things, &ours));
        (bench, ours)
    }

    /// What `create_cluster` does up to running machines.
    async fn create(&self) -> Result<()> {
        let secrets = self.store.secrets("demo")?.unwrap();
        let held = secrets.credential.as_ref().map(|it| it.id.as_str());
        let observed = observe(&self.cloud, &Looking::to_create(&self.wanted, held)).await?;
        let plan = plan_create(&self.wanted, &observed)?;
        let mut executor = Executor {
            cloud: &self.cloud,
            wanted: &self.wanted,
            store: &self.store,
            secrets,
            world: observed.world,
            deadline: Deadline::after(Duration::from_secs(600)),
        };
        for step in &plan {
            executor.run(step).await?;
        }
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        self.delete_and_tell().await.map(drop)
    }

    /// The credential that somebody else must revoke.
    async fn delete_and_tell(&self) -> Result<Option<String>> {
        delete_cluster("demo", &self.cloud, &self.store, &self.options, &Silent).await
    }
}

/// What is there, with ids replaced by what they stand for: two runs make the same cluster with other ids.
fn shape(things: &Things) -> Vec<String> {
    let group = |id: &String| things.security_groups.iter().find(|it| it.id == *id).map(|it| it.name.clone());
    let mut lines = Vec::new();
    lines.extend(things.networks.iter().map(|it| format!("network {} {:?}", it.name, it.tags)));
    lines.extend(things.subnets.iter().map(|it| format!("subnet {} {} {:?}", it.name, it.cidr, it.tags)));
    lines.extend(things.routers.iter().map(|it| format!("router {} {:?}", it.name, it.tags)));
    for port in &things.ports {
        let groups: Vec<_> = port.security_groups.iter().map(group).collect();
        let used = !port.device_id.is_empty();
        lines.push(format!("port {:?} {} {groups:?} {used} {:?}", port.name, port.device_owner, port.tags));
    }
    for it in &things.floating_ips {
        let port =
            things.ports.iter().find(|port| Some(&port.id) == it.port_id.as_ref()).map(|port| &port.name);
        lines.push(format!("floating IP of {port:?} {:?}", it.tags));
    }
    for it in &things.security_groups {
        lines.push(format!("group {} {:?}", it.name, it.tags));
        for rule in &it.security_group_rules {
            let from = rule.remote_group_id.as_ref().map(group);
            let (protocol, low, high) = (&rule.protocol, rule.port_range_min, rule.port_range_max);
            lines.push(format!("rule of {}: {protocol:?} {low:?} {high:?} {from:?}", it.name));
        }
    }
    lines.extend(
        things.servers.iter().map(|it| format!("server {} {} {:?}", it.name, it.status, it.metadata)),
    );
    lines.extend(things.server_groups.iter().map(|it| format!("server group {}", it.name)));
    lines.extend(things.credentials.iter().map(|_| "credential".to_owned()));
    lines.extend(things.keypairs.iter().map(|it| format!("keypair {}", it.name)));
    lines.sort();
    lines
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

async fn uninterrupted() -> (Vec<String>, u32) {
    let bench = Bench::new();
    bench.create().await.unwrap();
    (shape(&bench.cloud.things()), bench.cloud.changes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn kills_change_nothing(kills in prop::collection::vec((1u32..30, any::<bool>()), 0..6)) {
        runtime().block_on(async {
            let (expected, _) = uninterrupted().await;
            let bench = Bench::new();
            for (after, last_is_done) in &kills {
                bench.cloud.kill_after(Some(*after), *last_is_done);
                let _ = bench.create().await;
            }
            bench.cloud.kill_after(None, false);
            bench.create().await.unwrap();
            assert_eq!(shape(&bench.cloud.things()), expected);

            for (after, last_is_done) in &kills {
                bench.cloud.kill_after(Some(*after), *last_is_done);
                if bench.delete().await.is_ok() {
                    break;
                }
            }
            bench.cloud.kill_after(None, false);
            if bench.store.cluster("demo").unwrap().is_some() {
                bench.delete().await.unwrap();
            }
            assert_eq!(bench.cloud.things(), Things::default());
        });
    }
}

#[test]
fn a_kill_at_every_single_request() {
    runtime().block_on(async {
        let (expected, changes) = uninterrupted().await;
        for after in 1..=changes {
            for last_is_done in [false, true] {
                let bench = Bench::new();
                bench.cloud.kill_after(Some(after), last_is_done);
                assert!(bench.create().await.is_err());
                bench.cloud.kill_after(None, false);
                bench.create().await.unwrap();
                assert_eq!(shape(&bench.cloud.things()), expected, "request {after}, done: {last_is_done}");
            }
        }
    });
}

#[test]
fn deleting_takes_only_what_is_ours() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.create().await.unwrap();
        let theirs = Network {
            id: "theirs".into(),
            name: "demo".into(),
            description: crate::node::mark("another"),
            status: "ACTIVE".into(),
            external: false,
            shared: false,
            mtu: None,
            subnets: vec![],
            tags: vec![crate::node::mark("another")],
        };
        bench.cloud.edit(|things| things.networks.push(theirs.clone()));
        bench.delete().await.unwrap();
        assert_eq!(bench.cloud.things(), Things { networks: vec![theirs], ..Things::default() });
        assert!(list_clusters(&bench.store).unwrap().is_empty());
        assert!(matches!(bench.delete().await, Err(Error::NoCluster { .. })));
    });
}

#[test]
fn given_things_are_used_and_stay() {
    runtime().block_on(async {
        let mut bench = Bench::new();
        bench.create().await.unwrap();
        // The network of the first cluster becomes the user's own, for a second one.
        bench.cloud.edit(|things| {
            things.servers.clear();
            things.floating_ips.clear();
            things.keypairs.clear();
            things.credentials.clear();
            things.server_groups.clear();
            things.security_groups.clear();
            things.ports.retain(|port| port.name.is_empty());
            for (tags, description) in things
                .networks
                .iter_mut()
                .map(|it| (&mut it.tags, &mut it.description))
                .chain(things.subnets.iter_mut().map(|it| (&mut it.tags, &mut it.description)))
                .chain(things.routers.iter_mut().map(|it| (&mut it.tags, &mut it.description)))
            {
                tags.clear();
                description.clear();
            }
            things.networks[0].name = "theirs".into();
            things.subnets[0].name = "theirs".into();
            things.routers[0].name = "theirs".into();
            things.floating_ips.push(FloatingIp {
                id: "given".into(),
                floating_ip_address: "172.24.4.9".into(),
                floating_network_id: "public".into(),
                fixed_ip_address: None,
                port_id: None,
                status: "DOWN".into(),
                description: String::new(),
                tags: vec![],
            });
        });
        let before = bench.cloud.things();
        bench.wanted.adopted_network = Some(crate::spec::AdoptedNetwork {
            network_id: before.networks[0].id.clone(),
            subnet_id: before.subnets[0].id.clone(),
        });
        bench.wanted.adopted_floating_ip = Some("given".into());
        bench.create().await.unwrap();
        let made = bench.cloud.things();
        assert_eq!((made.networks.len(), made.routers.len(), made.floating_ips.len()), (1, 1, 1));
        assert!(made.floating_ips[0].port_id.is_some());
        assert_eq!(made.servers.len(), 3);
        bench.delete().await.unwrap();
        assert_eq!(bench.cloud.things(), before);
    });
}

#[test]
fn a_server_in_error_carries_its_fault_and_the_next_run_replaces_it() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.cloud.break_server("demo-worker-1");
        let error = bench.create().await.unwrap_err();
        assert!(error.to_string().contains("No valid host was found."), "{error}");
        bench.create().await.unwrap();
        assert_eq!(shape(&bench.cloud.things()), uninterrupted().await.0);
    });
}

#[test]
fn a_cluster_of_which_only_the_cloud_knows_can_be_deleted() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.create().await.unwrap();
        bench.store.remove("demo").unwrap();
        let lines = remains_of("demo", &bench.cloud, &bench.store, &bench.options).await.unwrap();
        assert!(lines.contains(&"delete server demo-worker-1".to_owned()), "{lines:?}");
        bench.delete().await.unwrap();
        assert_eq!(bench.cloud.things(), Things::default());
    });
}

#[test]
fn a_machine_that_was_switched_off_is_named() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.create().await.unwrap();
        bench.cloud.edit(|things| things.servers[1].status = "SHUTOFF".into());
        let error = bench.create().await.unwrap_err().to_string();
        assert!(error.contains("demo-worker-0 is SHUTOFF"), "{error}");
    });
}

#[test]
fn a_cluster_of_a_lost_cloud_can_be_forgotten() {
    runtime().block_on(async {
        let bench = Bench::new();
        let mut state = bench.store.cluster("demo").unwrap().unwrap();
        state.project = "lost".into();
        bench.store.save_cluster(&state).unwrap();
        let error = bench.delete().await.unwrap_err().to_string();
        assert!(error.contains("--forget"), "{error}");
        forget_cluster("demo", &bench.store, &bench.options).unwrap();
        assert!(list_clusters(&bench.store).unwrap().is_empty());
    });
}

/// What controllers in the cluster `cluster` would have made, with its port in our network.
fn made_by_controllers(things: &mut Things, cluster: &str) {
    let port = format!("vip-{cluster}");
    let subnet_id = things.subnets[0].id.clone();
    things.ports.push(Port {
        id: port.clone(),
        network_id: things.networks[0].id.clone(),
        name: "octavia-lb".into(),
        description: String::new(),
        device_id: "lb".into(),
        device_owner: "Octavia".into(),
        status: "ACTIVE".into(),
        fixed_ips: vec![FixedIp { subnet_id, ip_address: "10.6.0.99".into() }],
        security_groups: vec![],
        tags: vec![],
    });
    things.load_balancers.push(LoadBalancer {
        id: format!("lb-{cluster}"),
        name: format!("kube_service_{cluster}_default_web"),
        description: format!("Kubernetes external service default/web from cluster {cluster}"),
        provisioning_status: "ACTIVE".into(),
        vip_port_id: port.clone(),
    });
    things.floating_ips.push(FloatingIp {
        id: format!("ip-{cluster}"),
        floating_ip_address: "172.24.4.50".into(),
        floating_network_id: "public".into(),
        fixed_ip_address: None,
        port_id: Some(port),
        status: "ACTIVE".into(),
        description: format!(
            "Floating IP for Kubernetes external service default/web from cluster {cluster}"
        ),
        tags: vec![],
    });
    things.security_groups.push(SecurityGroup {
        id: format!("sg-{cluster}"),
        name: "lb-sg-1-default-web".into(),
        description: format!("Security Group for default/web Service LoadBalancer in cluster {cluster}"),
        security_group_rules: vec![],
        tags: vec![],
    });
    let metadata = BTreeMap::from([(crate::node::VOLUME_KEY.to_owned(), cluster.to_owned())]);
    for name in ["one", "two"] {
        things.volumes.push(Volume {
            id: format!("volume-{name}-{cluster}"),
            name: format!("pvc-{name}"),
            status: "available".into(),
            size: 1,
            metadata: metadata.clone(),
        });
    }
    things
        .secrets
        .push(Secret::new(&format!("secret-{cluster}"), &format!("kube_ingress_{cluster}_default_web_tls")));
    things.backups.push(VolumeBackup {
        id: format!("backup-{cluster}"),
        name: "backup".into(),
        status: "available".into(),
        volume_id: format!("volume-one-{cluster}"),
        created_at: "2026-01-01T00:00:00".into(),
        metadata: metadata.clone(),
    });
    things.snapshots.push(VolumeSnapshot {
        id: format!("snapshot-{cluster}"),
        name: "snapshot".into(),
        status: "available".into(),
        volume_id: format!("volume-one-{cluster}"),
        metadata,
    });
    let first = things.ports.iter().find(|port| port.name == "demo-worker-0").unwrap();
    let nexthop = first.fixed_ips[0].ip_address.clone();
    things.routers[0].routes.push(Route { destination: "10.244.1.0/24".into(), nexthop });
}

#[test]
fn what_the_clusters_controllers_made_goes_with_it() {
    runtime().block_on(async {
        let (bench, ours) = Bench::with_things_of_controllers().await;
        let lines = remains_of("demo", &bench.cloud, &bench.store, &bench.options).await.unwrap();
        assert!(
            lines.contains(&format!("delete load balancer kube_service_{ours}_default_web")),
            "{lines:?}"
        );
        assert!(lines.contains(&"delete volume pvc-one (1 GiB)".to_owned()), "{lines:?}");
        bench.delete().await.unwrap();
        assert_eq!(bench.cloud.things(), Things::default());
    });
}

#[test]
fn what_another_clusters_controllers_made_stays() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.create().await.unwrap();
        let theirs = format!("{}2", bench.wanted.cluster_name());
        bench.cloud.edit(|things| {
            made_by_controllers(things, &theirs);
            // In a network of their own, or ours could not go.
            let port = things.ports.last_mut().unwrap();
            port.network_id = "theirs".into();
            port.fixed_ips.clear();
            // A floating IP that holds no router of ours.
            things.floating_ips.last_mut().unwrap().port_id = None;
        });
        bench.delete().await.unwrap();
        let left = bench.cloud.things();
        assert_eq!((left.load_balancers.len(), left.volumes.len(), left.snapshots.len()), (1, 2, 1));
        assert_eq!((left.backups.len(), left.secrets.len()), (1, 1));
        assert_eq!((left.floating_ips.len(), left.security_groups.len(), left.servers.len()), (1, 1, 0));
    });
}

#[test]
fn a_credential_of_another_user_is_not_called_revoked() {
    runtime().block_on(async {
        for anothers in [false, true] {
            let bench = Bench::new();
            bench.create().await.unwrap();
            let held = bench.store.secrets("demo").unwrap().unwrap().credential.unwrap().id;
            if anothers {
                // Logged in as another member of the project, one sees one's own alone.
                bench.cloud.edit(|things| things.credentials.clear());
            }
            let told = bench.delete_and_tell().await.unwrap();
            assert_eq!(told, anothers.then_some(held));
        }
    });
}

#[test]
fn addresses_that_somebody_wants_to_keep_stay() {
    runtime().block_on(async {
        let (bench, _) = Bench::with_things_of_controllers().await;
        bench.cloud.edit(|things| {
            let address = |id: &str, port_id: Option<String>| FloatingIp {
                id: id.into(),
                floating_ip_address: id.into(),
                port_id,
                ..things.floating_ips.last().unwrap().clone()
            };
            // A Service that is gone has left its address on purpose; what an Ingress was given is described as ours.
            let port = things.floating_ips.last().unwrap().port_id.clone();
            let addresses = [address("left", None), address("given", port)];
            things.floating_ips.extend(addresses);
        });
        let mut state = bench.store.cluster("demo").unwrap().unwrap();
        state.kept_addresses.insert("given".into());
        bench.store.save_cluster(&state).unwrap();
        bench.delete().await.unwrap();
        let left = bench.cloud.things();
        let ids: Vec<&str> = left.floating_ips.iter().map(|ip| ip.id.as_str()).collect();
        assert_eq!(ids, ["left", "given"]);
        assert!(left.load_balancers.is_empty() && left.ports.is_empty());
    });
}

#[test]
fn where_load_balancers_may_not_be_listed_the_rest_goes() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.create().await.unwrap();
        bench.cloud.forbid_load_balancers();
        bench.delete().await.unwrap();
        assert_eq!(bench.cloud.things(), Things::default());
    });
}

#[test]
fn a_snapshot_that_waits_for_what_was_made_of_it_goes_after_that() {
    runtime().block_on(async {
        let (bench, _) = Bench::with_things_of_controllers().await;
        bench.cloud.edit(|things| {
            let of = things.snapshots[0].id.clone();
            things.volumes.last_mut().unwrap().metadata.insert(MADE_OF.into(), of);
        });
        bench.delete().await.unwrap();
        assert_eq!(bench.cloud.things(), Things::default());
    });
}

#[test]
fn a_cloud_that_keeps_deleted_servers_is_told_to_let_them_go() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.create().await.unwrap();
        bench.cloud.reclaim_later();
        bench.delete().await.unwrap();
        assert_eq!(bench.cloud.things(), Things::default());
    });
}

#[test]
fn volumes_to_be_kept_stay_with_their_snapshots() {
    runtime().block_on(async {
        for all in [false, true] {
            let (mut bench, ours) = Bench::with_things_of_controllers().await;
            if all {
                bench.options.keep_volumes = true;
            } else {
                let mut state = bench.store.cluster("demo").unwrap().unwrap();
                state.kept_volumes.insert(format!("volume-one-{ours}"));
                bench.store.save_cluster(&state).unwrap();
            }
            bench.delete().await.unwrap();
            let left = bench.cloud.things();
            assert_eq!(left.volumes.len(), if all { 2 } else { 1 });
            assert_eq!((left.snapshots.len(), left.backups.len()), (1, 1));
            assert!(left.load_balancers.is_empty() && left.ports.is_empty());
        }
    });
}

#[test]
fn routes_of_a_given_router_that_lead_elsewhere_stay() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.create().await.unwrap();
        let elsewhere = Route { destination: "192.168.0.0/16".into(), nexthop: "10.6.0.200".into() };
        let mut router = bench.cloud.things().routers[0].clone();
        let at = bench.cloud.things().ports.iter().find(|it| it.name == "demo-worker-0").cloned().unwrap();
        let ours = Route { destination: "10.244.1.0/24".into(), nexthop: at.fixed_ips[0].ip_address.clone() };
        router.id = "given".into();
        router.name = "theirs".into();
        router.description.clear();
        router.tags.clear();
        router.routes = vec![elsewhere.clone(), ours];
        bench.cloud.edit(|things| things.routers.push(router));
        let mut state = bench.store.cluster("demo").unwrap().unwrap();
        state.wanted.adopted_router = Some("given".into());
        bench.store.save_cluster(&state).unwrap();
        bench.delete().await.unwrap();
        let left = bench.cloud.things();
        assert_eq!(left.routers.len(), 1);
        assert_eq!(left.routers[0].routes, [elsewhere]);
    });
}

#[test]
fn a_restricted_login_is_told_before_anything_is_made() {
    runtime().block_on(async {
        let bench = Bench::new();
        bench.cloud.restrict();
        let spec = crate::ClusterSpec::new("demo", 1).unwrap();
        let external = |things: &mut Things| {
            let network = Network { external: true, ..bench_network() };
            things.networks.push(network);
        };
        bench.cloud.edit(external);
        let error =
            crate::resolve::resolve(&spec, "uuid".into(), &bench.cloud).await.unwrap_err().to_string();
        assert!(error.contains("--without cloud-controller-manager --without cinder-csi"), "{error}");
        let mut without = spec.clone();
        without.addons = crate::Addon::ALL.into_iter().map(|addon| (addon, false)).collect();
        assert!(
            crate::resolve::resolve(&without, "uuid".into(), &bench.cloud).await.unwrap().addons.is_empty()
        );
    });
}

fn bench_network() -> Network {
    Network {
        id: "public".into(),
        name: "public".into(),
        description: String::new(),
        status: "ACTIVE".into(),
        external: true,
        shared: false,
        mtu: None,
        subnets: vec![],
        tags: vec![],
    }
}
