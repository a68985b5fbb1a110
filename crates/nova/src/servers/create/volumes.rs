//! The volumes that a new server has: whether what was asked for is there, and rows for them.

use std::collections::BTreeMap;

use base::{Ctx, Error, Result};
use cinder::Volume;
use cinder::volumes::rules::{IMAGE_KEY, IMAGE_KEY_POLICY};
use db::{Conn, Tx};
use glance::Image;

use super::parse::Request;
use crate::Nova;
use crate::block_devices::asked::{self, Asked, Source};
use crate::block_devices::{BlockDevice, State, names, rules, store};
use crate::flavors::Flavor;
use crate::servers::Server;

/// One that was looked at.
pub(super) struct NewDevice {
    asked: Asked,
    size_gib: Option<i64>,
}

pub(super) struct Boot {
    pub volume_backed: bool,
    pub properties: BTreeMap<String, String>,
    pub volumes: Vec<NewDevice>,
}

/// What a volume keeps of its image besides the image's own properties.
const OF_IMAGE: [&str; 8] =
    ["image_id", "image_name", "container_format", "disk_format", "checksum", "size", "min_disk", "min_ram"];

pub(super) async fn resolve(
    nova: &Nova,
    ctx: &Ctx,
    request: &Request,
    image: Option<&Image>,
    flavor: &Flavor,
) -> Result<Boot> {
    let list = asked::joined(&request.devices, image.map(|image| (image.id.as_str(), &image.properties)))?;
    let properties = || image.map(|image| image.properties.clone()).unwrap_or_default();
    let is_plain = matches!(&list[..], [only] if only.is_root() && !only.to_volume);
    if is_plain && image.is_some() {
        return Ok(Boot { volume_backed: false, properties: properties(), volumes: Vec::new() });
    }
    asked::check(&list, flavor, request.max_count)?;
    let mut boot = Boot {
        volume_backed: list.iter().any(|asked| asked.is_root() && asked.to_volume),
        properties: properties(),
        volumes: Vec::new(),
    };
    for asked in list.into_iter().filter(|asked| asked.to_volume) {
        let images =
            if asked.source == Source::Image { Some(source_image(nova, ctx, &asked).await?) } else { None };
        let mut conn = nova.db.read().await?;
        let found = look(nova, &mut conn, ctx, &asked).await?;
        drop(conn);
        if asked.is_root() {
            let made_of = image.or(images.as_ref());
            let told = found.volume.as_ref().map(|volume| volume.image_metadata.clone());
            check_root(&asked, &found, made_of, told.as_ref(), image.is_some(), flavor)?;
            boot.properties = match (made_of, told) {
                (Some(image), _) => image.properties.clone(),
                (None, told) => {
                    let mut own = told.unwrap_or_default();
                    own.retain(|key, _| !OF_IMAGE.contains(&key.as_str()));
                    own
                }
            };
            // The volume has a key of its own: this one goes with the image.
            boot.properties.retain(|key, _| ![IMAGE_KEY, IMAGE_KEY_POLICY].contains(&key.as_str()));
        }
        boot.volumes.push(NewDevice { size_gib: asked.size_gib.or(found.size), asked });
    }
    Ok(boot)
}

async fn source_image(nova: &Nova, ctx: &Ctx, asked: &Asked) -> Result<Image> {
    let id = asked.id.clone().unwrap_or_default();
    nova.glance.image(ctx, &id).await.map_err(|error| match error.is_not_found() {
        true => Error::bad_request(format!("Block Device Mapping is Invalid: failed to get image {id}.")),
        false => error,
    })
}

#[derive(Default)]
struct Found {
    /// The source, or the one that its snapshot is of.
    volume: Option<Volume>,
    size: Option<i64>,
}

async fn look(nova: &Nova, conn: &mut Conn, ctx: &Ctx, asked: &Asked) -> Result<Found> {
    if let Some(wanted) = &asked.volume_type {
        let found = nova.cinder.type_within(conn, ctx, wanted).await;
        found.map_err(|error| match error.is_not_found() {
            true => Error::bad_request(format!("Volume type {wanted} could not be found.")),
            false => error,
        })?;
    }
    let id = asked.id.clone().unwrap_or_default();
    match asked.source {
        Source::Blank | Source::Image => Ok(Found::default()),
        Source::Volume => {
            let volume = nova.cinder.volume_within(conn, ctx, &id).await.map_err(|error| {
                if error.is_not_found() { Error::bad_request(error.message) } else { error }
            })?;
            rules::check_multiattach(ctx, &volume)?;
            Ok(Found { size: Some(volume.size), volume: Some(volume) })
        }
        Source::Snapshot => {
            let snapshot = nova.cinder.snapshot_within(conn, ctx, &id).await.map_err(|error| match error
                .is_not_found()
            {
                true => Error::bad_request(format!(
                    "Block Device Mapping is Invalid: failed to get snapshot {id}."
                )),
                false => error,
            })?;
            let volume = nova.cinder.volume_within(conn, ctx, &snapshot.volume_id).await.ok();
            Ok(Found { size: Some(snapshot.size), volume })
        }
    }
}

/// Whether a server of this flavor can boot from it.
fn check_root(
    asked: &Asked,
    found: &Found,
    image: Option<&Image>,
    told: Option<&BTreeMap<String, String>>,
    has_image: bool,
    flavor: &Flavor,
) -> Result<()> {
    if let (Some(volume), false) = (&found.volume, has_image)
        && !volume.bootable
    {
        return Err(Error::bad_request(format!("Block Device {} is not bootable.", volume.id)));
    }
    let number = |key: &str| told.and_then(|told| told.get(key)?.parse::<i64>().ok()).unwrap_or(0);
    let memory = image.map_or_else(|| number("min_ram"), |image| image.min_ram);
    if flavor.memory_mib < memory {
        return Err(Error::bad_request("Flavor's memory is too small for requested image."));
    }
    let least = image.map_or_else(|| number("min_disk"), |image| image.min_disk);
    if asked.size_gib.is_some_and(|size| size < least) {
        return Err(Error::bad_request(format!(
            "Volume is smaller than the minimum size specified in image metadata. Volume size is {} bytes, minimum size \
             is {} bytes.",
            asked.size_gib.unwrap_or(0) << 30,
            least << 30
        )));
    }
    Ok(())
}

/// Rows, and reservations of the volumes that are there already.
pub(super) async fn insert(
    nova: &Nova,
    tx: &mut Tx,
    ctx: &Ctx,
    server: &Server,
    volumes: &[NewDevice],
) -> Result<()> {
    let mut made: Vec<BlockDevice> = Vec::with_capacity(volumes.len());
    for (position, new) in (0..).zip(volumes) {
        let asked = &new.asked;
        let there = asked.source == Source::Volume;
        let name = match asked.is_root() {
            true => names::at(0),
            false => names::free(&server.flavor, &made)?,
        };
        let device = BlockDevice {
            id: base::id::uuid(),
            server_id: server.id.clone(),
            position,
            state: if there { State::Attaching } else { State::Wanted },
            source_type: asked.source.as_str().into(),
            source_id: asked.id.clone().filter(|_| !there),
            volume_id: asked.id.clone().filter(|_| there).unwrap_or_else(base::id::uuid),
            attachment_id: there.then(base::id::uuid),
            size_gib: new.size_gib,
            volume_type: asked.volume_type.clone(),
            boot_index: asked.boot_index.filter(|index| *index >= 0),
            device_name: Some(name),
            disk_bus: asked.disk_bus.clone(),
            device_type: asked.device_type.clone(),
            guest_format: asked.guest_format.clone(),
            tag: asked.tag.clone(),
            delete_on_termination: asked.delete_on_termination,
            request_id: None,
            attempts: 0,
            created_at: server.created_at,
        };
        if let Some(attachment) = &device.attachment_id {
            let reserved =
                nova.cinder.reserve_within(tx, ctx, &device.volume_id, &server.id, attachment).await;
            reserved.map_err(|error| match error.is_not_found() {
                true => Error::bad_request(error.message),
                false => rules::refused(error),
            })?;
        }
        store::insert(tx, &device).await?;
        made.push(device);
    }
    Ok(())
}
