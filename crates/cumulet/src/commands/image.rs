//! `cumulet image build`: images made on this machine, put into a cloud on request.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use image::{BuiltImage, Cache, Step, node, tiny};
use openstack::{Client, CloudChoice, Deadline, NewImage};

use crate::commands::up::CLOUD_NAME;
use crate::steps::{self, human, print, say};

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Build an image from packages; finished parts are kept under ~/.cache/cumulet
    #[command(subcommand)]
    Build(BuildCommand),
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
    let ImageCommand::Build(what) = command;
    let (kubernetes, upload) = match what {
        BuildCommand::Tiny(upload) => (None, upload),
        BuildCommand::Node { kubernetes, upload } => (Some(kubernetes), upload),
    };
    let built = tokio::task::spawn_blocking(move || build(kubernetes)).await??;
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
