//! `cumulet cluster`: Kubernetes clusters on this cloud or any other OpenStack.

use std::io::{IsTerminal, Write as _};
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, ensure};
use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use engine::{Addon, ClusterFile, ClusterSpec, Cni, Options, Progress, Store, Summary};
use indicatif::{ProgressBar, ProgressStyle};
use ipnet::Ipv4Net;
use openstack::{Client, CloudChoice};

use crate::commands::up::CLOUD_NAME;
use crate::kubectl;
use crate::steps::{human, print, say};

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Create a cluster, or finish one whose creation was interrupted
    Create(Box<CreateArgs>),
    /// List the clusters made from this machine
    List {
        #[arg(long)]
        json: bool,
    },
    /// Print a cluster's kubeconfig
    Kubeconfig { name: String },
    /// Give a cluster's controllers a new application credential and revoke the old one
    RotateCredential(RotateArgs),
    /// Print the JSON Schema of the file that `create -f` takes
    Schema,
    /// Delete a cluster and everything that was made for it
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub struct CloudArg {
    /// Which entry of clouds.yaml
    #[arg(long, env = "OS_CLOUD", value_name = "NAME")]
    os_cloud: Option<String>,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The cluster's name, and the name of its kubectl context
    #[arg(required_unless_present = "file")]
    name: Option<String>,
    #[command(flatten)]
    cloud: CloudArg,
    /// Take what is not said here from this YAML file, see `cluster schema`
    #[arg(short, long, value_name = "FILE")]
    file: Option<Utf8PathBuf>,
    /// How many worker nodes [default: 1]
    #[arg(long, value_name = "N")]
    workers: Option<u32>,
    /// Add-on that is not installed by default, may be repeated: octavia-ingress, keystone-auth
    #[arg(long, value_name = "ADD-ON")]
    with: Vec<Addon>,
    /// Add-on not to install, may be repeated: cloud-controller-manager, cinder-csi
    #[arg(long, value_name = "ADD-ON")]
    without: Vec<Addon>,
    /// How pods of different nodes reach each other: flannel (tunnels), or router (the cloud's router has routes to them)
    /// [default: flannel]
    #[arg(long, value_name = "NETWORK")]
    cni: Option<Cni>,
    /// Node image, by name or id [default: the newest with Kubernetes in it]
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Kubernetes version [default: the newest that an image has]
    #[arg(long, value_name = "vX.Y.Z")]
    kubernetes: Option<String>,
    /// Flavor of the workers [default: the smallest with 1 vCPU and 2 GiB]
    #[arg(long, value_name = "FLAVOR")]
    flavor: Option<String>,
    /// Flavor of the control plane [default: the smallest with 2 vCPU and 3 GiB]
    #[arg(long, value_name = "FLAVOR")]
    control_plane_flavor: Option<String>,
    /// External network for the API's address [default: the only one]
    #[arg(long, value_name = "NETWORK")]
    external_network: Option<String>,
    /// Use this network, which a router joins to the external one, instead of making one; it is never deleted
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,
    /// Use this floating IP of the project for the API; it is never released
    #[arg(long, value_name = "ADDRESS")]
    floating_ip: Option<Ipv4Addr>,
    /// Let the holder of this SSH key in
    #[arg(long, value_name = "FILE.pub")]
    ssh_key: Option<Utf8PathBuf>,
    #[arg(long, value_name = "ZONE")]
    availability_zone: Option<String>,
    /// Addresses of the nodes [default: 10.6.0.0/24]
    #[arg(long, value_name = "CIDR")]
    node_cidr: Option<Ipv4Net>,
    /// Addresses of the pods [default: 10.244.0.0/16]
    #[arg(long, value_name = "CIDR")]
    pod_cidr: Option<Ipv4Net>,
    /// Addresses of the services [default: 10.96.0.0/12]
    #[arg(long, value_name = "CIDR")]
    service_cidr: Option<Ipv4Net>,
    /// DNS server of the nodes, may be repeated [default: the cloud's]
    #[arg(long, value_name = "ADDRESS")]
    dns_nameserver: Vec<Ipv4Addr>,
    /// From where NodePorts may be reached [default: anywhere]
    #[arg(long, value_name = "CIDR", conflicts_with = "no_node_ports")]
    node_ports_from: Option<Ipv4Net>,
    /// Keep NodePorts inside the cluster
    #[arg(long)]
    no_node_ports: bool,
    /// Give up after so many minutes; another run goes on
    #[arg(long, default_value_t = 60, value_name = "MINUTES")]
    timeout: u64,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    name: String,
    #[command(flatten)]
    cloud: CloudArg,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only remove what this machine knows of it: its cloud no longer exists
    #[arg(long)]
    forget: bool,
    /// Leave the volumes of its claims in the cloud
    #[arg(long)]
    keep_volumes: bool,
    /// Give up after so many minutes; another run goes on
    #[arg(long, default_value_t = 20, value_name = "MINUTES")]
    timeout: u64,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    name: String,
    #[command(flatten)]
    cloud: CloudArg,
    /// Give up after so many minutes; another run goes on
    #[arg(long, default_value_t = 20, value_name = "MINUTES")]
    timeout: u64,
}

impl ClusterCommand {
    pub async fn run(self) -> anyhow::Result<()> {
        let store = Store::of_user()?;
        match self {
            ClusterCommand::Create(args) => create(*args, &store).await,
            ClusterCommand::List { json } => list(&store, json),
            ClusterCommand::Kubeconfig { name } => {
                print(engine::kubeconfig_of(&store, &name)?.trim_end());
                Ok(())
            }
            ClusterCommand::RotateCredential(args) => rotate(args, &store).await,
            ClusterCommand::Schema => {
                print(&serde_json::to_string_pretty(&ClusterFile::schema())?);
                Ok(())
            }
            ClusterCommand::Delete(args) => delete(args, &store).await,
        }
    }
}

impl CreateArgs {
    fn spec(&self) -> anyhow::Result<ClusterSpec> {
        let file = self.read_file()?;
        let name = self.name.clone().or(file.name);
        let name =
            name.context("the cluster has no name; give it as an argument, or as `name` in the file")?;
        let mut spec = ClusterSpec::new(name, self.workers.or(file.workers))?;
        spec.image = self.image.clone().or(file.image);
        spec.kubernetes = self.kubernetes.clone().or(file.kubernetes);
        spec.worker_flavor = self.flavor.clone().or(file.flavor);
        spec.control_plane_flavor = self.control_plane_flavor.clone().or(file.control_plane_flavor);
        spec.external_network = self.external_network.clone().or(file.external_network);
        spec.network = self.network.clone().or(file.network);
        spec.floating_ip = self.floating_ip.or(file.floating_ip);
        spec.availability_zone = self.availability_zone.clone().or(file.availability_zone);
        spec.node_cidr = self.node_cidr.or(file.node_cidr);
        spec.pod_cidr = self.pod_cidr.or(file.pod_cidr);
        spec.service_cidr = self.service_cidr.or(file.service_cidr);
        spec.dns_nameservers = match self.dns_nameserver.as_slice() {
            [] => file.dns_nameservers,
            asked => Some(asked.to_vec()),
        };
        spec.node_ports_from = match (self.no_node_ports, self.node_ports_from) {
            (true, _) => Some(None),
            (false, Some(chosen)) => Some(Some(chosen)),
            (false, None) => file.node_ports_from,
        };
        spec.cni = self.cni.or(file.cni);
        spec.addons = file.addons;
        spec.addons.extend(self.with.iter().map(|addon| (*addon, true)));
        for addon in &self.without {
            ensure!(!self.with.contains(addon), "--with {addon} and --without {addon} contradict each other");
            spec.addons.insert(*addon, false);
        }
        if let Some(path) = self.ssh_key.as_ref().or(file.ssh_key.as_ref()) {
            let key =
                std::fs::read_to_string(path).with_context(|| format!("cannot read the SSH key {path}"))?;
            spec.ssh_public_key = Some(key);
        }
        spec.check()?;
        Ok(spec)
    }

    fn read_file(&self) -> anyhow::Result<ClusterFile> {
        let Some(path) = &self.file else { return Ok(ClusterFile::default()) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the cluster's file {path}"))?;
        Ok(ClusterFile::parse(&text)?)
    }
}

async fn rotate(args: RotateArgs, store: &Store) -> anyhow::Result<()> {
    let client = connect(args.cloud.os_cloud, store, &args.name).await?;
    let options = Options { timeout: minutes(args.timeout), ..Options::default() };
    let anothers =
        engine::rotate_credential(&args.name, &client, store, &options, &Display::default()).await?;
    say(&format!("\nThe controllers of cluster {} act by a new credential", args.name));
    match anothers {
        Some(id) => hint_at_revoking(&id),
        None => say("The old one is revoked"),
    }
    Ok(())
}

async fn create(args: CreateArgs, store: &Store) -> anyhow::Result<()> {
    let spec = args.spec()?;
    let begin = std::time::Instant::now();
    let client = connect(args.cloud.os_cloud, store, &spec.name).await?;
    let options = Options { timeout: minutes(args.timeout), ..Options::default() };
    let made = engine::create_cluster(&spec, &client, store, &options, &Display::default()).await?;
    let (name, nodes) = (&made.name, made.nodes.len());
    say(&format!(
        "\nCluster {name} is ready after {}: Kubernetes {}, {nodes} nodes, {}\n\n  \
         kubectl --context {name} get nodes\n  \
         kubectl --context {name} get pods --all-namespaces\n  \
         cumulet cluster delete {name}",
        human(begin.elapsed()),
        made.kubernetes,
        made.server
    ));
    hint_at_kubectl(&made.kubernetes);
    if spec.addons.get(&Addon::KeystoneAuth) == Some(&true) {
        hint_at_login(name);
    }
    Ok(())
}

/// How users of the cloud come in, and by which program.
fn hint_at_login(name: &str) {
    let bin = match kubectl::find_login() {
        Ok(path) => path.and_then(|path| path.parent().map(|bin| format!("  export PATH={bin}:$PATH\n"))),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "client-keystone-auth was not put in place");
            None
        }
    };
    say(&format!(
        "\nUsers of the cloud use it as well, in the context {name}-openstack, with OS_USERNAME, OS_PASSWORD, \
         OS_PROJECT_NAME and OS_DOMAIN_NAME:\n\n{}  kubectl --context {name}-openstack get pods",
        bin.unwrap_or_default()
    ));
}

/// For whoever has no kubectl: one was built with the node image.
fn hint_at_kubectl(version: &str) {
    match kubectl::find(version) {
        Ok(Some(path)) => {
            let bin = path.parent().unwrap_or(&path);
            say(&format!(
                "\nThere is no kubectl on PATH; one of this release is in {bin}:\n\n  export PATH={bin}:$PATH"
            ));
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(error = format!("{error:#}"), "no kubectl was put in place"),
    }
}

fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let clusters = engine::list_clusters(store)?;
    if json {
        print(&serde_json::to_string_pretty(&clusters)?);
        return Ok(());
    }
    if clusters.is_empty() {
        say("There are no clusters; make one with `cumulet cluster create demo`");
        return Ok(());
    }
    let head = ["NAME", "STATE", "KUBERNETES", "NODES", "CLOUD", "API"].map(str::to_owned);
    let row = |it: &Summary| {
        [
            it.name.clone(),
            it.phase.to_string(),
            it.kubernetes.clone(),
            format!("{}+{}", it.control_planes, it.workers),
            it.cloud.clone(),
            it.server.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(clusters.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        print(cells.join("  ").trim_end());
    }
    Ok(())
}

async fn delete(args: DeleteArgs, store: &Store) -> anyhow::Result<()> {
    let begin = std::time::Instant::now();
    let options =
        Options { timeout: minutes(args.timeout), keep_volumes: args.keep_volumes, ..Options::default() };
    if args.forget {
        engine::forget_cluster(&args.name, store, &options)?;
        say(&format!("Cluster {} is forgotten; its cloud was not asked", args.name));
        return Ok(());
    }
    let client = connect(args.cloud.os_cloud, store, &args.name).await?;
    if !args.yes {
        let remains = engine::remains_of(&args.name, &client, store, &options).await?;
        confirm(&args.name, &remains)?;
    }
    let anothers = engine::delete_cluster(&args.name, &client, store, &options, &Display::default()).await?;
    say(&format!("\nCluster {} is gone after {}", args.name, human(begin.elapsed())));
    if let Some(id) = anothers {
        hint_at_revoking(&id);
    }
    Ok(())
}

fn hint_at_revoking(id: &str) {
    say(&format!(
        "The credential that its controllers had is not among yours; unless it is gone already, whoever made it revokes it:\n\n  \
         openstack application credential delete {id}"
    ));
}

fn confirm(name: &str, remains: &[String]) -> anyhow::Result<()> {
    ensure!(
        std::io::stdin().is_terminal(),
        "this would delete cluster {name} with {} resources: pass --yes",
        remains.len()
    );
    for line in remains {
        say(&format!("  {line}"));
    }
    let mut terminal = std::io::stderr();
    write!(terminal, "Delete cluster {name}? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    ensure!(matches!(answer.trim(), "y" | "Y" | "yes"), "nothing was deleted");
    Ok(())
}

/// A cluster's own cloud is the default for whatever is done to it later.
async fn connect(os_cloud: Option<String>, store: &Store, cluster: &str) -> anyhow::Result<Client> {
    let of_cluster =
        engine::list_clusters(store)?.into_iter().find(|it| it.name == cluster).map(|it| it.cloud);
    let os_cloud = os_cloud.or(of_cluster.filter(|name| name != "envvars"));
    let choice = CloudChoice { os_cloud, preferred: Some(CLOUD_NAME.into()) };
    Ok(Client::connect(&choice).await?)
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60))
}

/// A spinner that tells what it waits for; without a terminal, a line when a step begins and one when it ends.
#[derive(Default)]
struct Display {
    bar: Mutex<Option<ProgressBar>>,
}

impl Display {
    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        act(&mut self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    fn end(&self, line: &str) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
        say(line);
    }
}

impl Progress for Display {
    fn started(&self, step: &str) {
        if !std::io::stderr().is_terminal() {
            say(&format!("… {step}"));
            return;
        }
        let bar = ProgressBar::new_spinner().with_prefix(step.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        self.with(|slot| *slot = Some(bar));
    }

    fn note(&self, text: &str) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.set_message(text.to_owned());
            }
        });
    }

    fn finished(&self, step: &str, took: Duration) {
        self.end(&format!("✓ {step} ({})", human(took)));
    }

    fn failed(&self, step: &str, took: Duration) {
        self.end(&format!("✗ {step} ({})", human(took)));
    }
}
