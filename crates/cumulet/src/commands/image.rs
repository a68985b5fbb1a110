//! `cumulet image`: images made on this machine or fetched from their makers, put into a cloud on request.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use image::{BuiltImage, Cache, Step, fetch, node, tiny};
use openstack::{Client, CloudChoice, Deadline, NewImage};

use crate::commands::up::CLOUD_NAME;
use crate::steps::{self, human, print, say};

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Build an image from packages; finished parts are kept under ~/.cache/cumulet
    #[command(subcommand)]
    Build(BuildCommand),
    /// Fetch an official cloud image from its makers' site, checked and kept under ~/.cache/cumulet
    Fetch(FetchArgs),
}

#[derive(Debug, Args)]
pub struct FetchArgs {
    what: Official,
    /// As its makers write it: 0.6.3, 13, 24.04 [default: the newest that is known here]
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// Another server with the same paths as the official site
    #[arg(long, env = fetch::MIRROR_VARIABLE, value_name = "URL")]
    mirror: Option<String>,
    #[command(flatten)]
    upload: UploadArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Official {
    Cirros,
    Debian,
    Ubuntu,
}

#[derive(Debug, Subcommand)]
pub enum BuildCommand {
    /// A test guest of a few MB: ssh in seconds, 128 MiB of memory
    Tiny(UploadArgs),
    /// A Kubernetes node: Debian, containerd, kubeadm and all container images
    Node {
        /// [default: the newest release that is pinned here]
        #[arg(long, value_name = "vX.Y.Z")]
        kubernetes: Option<String>,
        #[command(flatten)]
        upload: UploadArgs,
    },
}

#[derive(Debug, Args)]
pub struct UploadArgs {
    /// Put the image into a cloud, unless it is there already
    #[arg(long)]
    upload: bool,
    /// Which entry of clouds.yaml
    #[arg(long, env = "OS_CLOUD", value_name = "NAME")]
    os_cloud: Option<String>,
}

pub async fn run(command: ImageCommand) -> anyhow::Result<()> {
    let (built, upload) = match command {
        ImageCommand::Build(BuildCommand::Tiny(upload)) => {
            (tokio::task::spawn_blocking(|| build(None)).await??, upload)
        }
        ImageCommand::Build(BuildCommand::Node { kubernetes, upload }) => {
            (tokio::task::spawn_blocking(|| build(Some(kubernetes))).await??, upload)
        }
        ImageCommand::Fetch(FetchArgs { what, release, mirror, upload }) => (
            tokio::task::spawn_blocking(move || obtain(what, release.as_deref(), mirror.as_deref()))
                .await??,
            upload,
        ),
    };
    if upload.upload {
        put(&built, upload.os_cloud).await?;
    }
    print(built.path.as_str());
    Ok(())
}

/// `kubernetes`: None builds tiny; Some(None) a node of the newest version.
fn build(kubernetes: Option<Option<String>>) -> anyhow::Result<BuiltImage> {
    let cache = Cache::open()?;
    Ok(match kubernetes {
        None => tiny::build(&cache, &tell)?,
        Some(version) => {
            let mut options = node::Options::newest()?;
            if let Some(version) = version {
                options.kubernetes = version.parse()?;
            }
            node::build(&options, &cache, &tell)?
        }
    })
}

fn obtain(what: Official, release: Option<&str>, mirror: Option<&str>) -> anyhow::Result<BuiltImage> {
    let image = match what {
        Official::Cirros => fetch::Image::Cirros,
        Official::Debian => fetch::Image::Debian,
        Official::Ubuntu => fetch::Image::Ubuntu,
    };
    let release = match release {
        Some(version) => image.release(version)?,
        None => image.newest(),
    };
    Ok(fetch::fetch(&release, mirror, &Cache::open()?, &tell)?)
}

fn tell(step: Step<'_>) {
    match step {
        Step::Started { name } => tracing::info!(name, "started"),
        Step::Finished { name, took } => say(&format!("✓ {name} ({})", human(took))),
        Step::Reused { name } => say(&format!("✓ {name} (from the cache)")),
        Step::Failed { name, took } => say(&format!("✗ {name} ({})", human(took))),
    }
}

/// An image of the same name and checksum is left as it is.
pub(super) async fn put(built: &BuiltImage, os_cloud: Option<String>) -> anyhow::Result<()> {
    let choice = CloudChoice { os_cloud, preferred: Some(CLOUD_NAME.into()) };
    let client = Client::connect(&choice).await?;
    let there = client.images(&[("name", &built.name), ("status", "active")]).await?;
    if there.iter().any(|i| i.property("cumulet_sha256") == Some(&built.sha256)) {
        say(&format!("✓ The image {} is in the cloud already", built.name));
        return Ok(());
    }
    let mut properties = built.properties.clone();
    properties.insert("cumulet_sha256".into(), built.sha256.clone());
    let mut new = NewImage {
        name: built.name.clone(),
        disk_format: built.disk_format.clone(),
        min_disk: built.min_disk_gib,
        min_ram: built.min_ram_mib,
        visibility: "public".into(),
        properties,
    };
    steps::step(&format!("Uploading the image {}", built.name), async {
        let image = match client.create_image(&new).await {
            // Only administrators may make public images.
            Err(e) if e.status() == Some(403) => {
                new.visibility = "private".into();
                client.create_image(&new).await?
            }
            other => other?,
        };
        if let Err(e) = client.upload_image(&image.id, built.path.as_std_path()).await {
            // A half-made image would be found by name and never boot.
            let _ = client.delete_image(&image.id).await;
            return Err(e).with_context(|| format!("cannot upload {}", built.path));
        }
        let deadline = Deadline::after(Duration::from_secs(300));
        openstack::poll("the image being active", deadline, Duration::from_millis(100), async || {
            let seen = client.image(&image.id).await?;
            Ok(if seen.status == "active" { Ok(()) } else { Err(seen.status) })
        })
        .await?;
        Ok(())
    })
    .await
}
