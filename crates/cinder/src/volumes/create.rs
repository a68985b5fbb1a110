//! A new volume: what it is made of, decided and written in one transaction.

use std::collections::BTreeMap;

use base::{Ctx, Error, Result};
use db::Tx;
use glance::Image;
use host::LayerFormat;

use super::freeze::freeze;
use super::{Status, Volume, gib, load, rules, store};
use crate::groups::{self, Group};
use crate::layers::{self, Layer};
use crate::quotas::{self, More};
use crate::types::{self, VolumeType};
use crate::words::{invalid_input, invalid_snapshot, invalid_volume};
use crate::{Cinder, backups, policy, snapshots};

/// What its maker says of it. At most one source.
#[derive(Debug, Clone, Default)]
pub struct NewVolume {
    /// Made by the caller, who may ask again after a crash and gets the volume that is there. None: any.
    pub id: Option<String>,
    /// GiB; None: the source's.
    pub size: Option<i64>,
    pub name: Option<String>,
    pub description: Option<String>,
    /// Id or name.
    pub volume_type: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub availability_zone: Option<String>,
    pub image: Option<String>,
    pub snapshot: Option<String>,
    pub source: Option<String>,
    pub backup: Option<String>,
    /// Made together with others; whoever asks has looked at it.
    pub group: Option<String>,
}

/// What the lowest layer of its own stands on, and what it takes over from there.
struct Source {
    layers: Vec<Layer>,
    size: i64,
    bootable: bool,
    type_id: Option<String>,
    image_metadata: BTreeMap<String, String>,
    image_id: Option<String>,
    /// Of a backup's volume.
    metadata: BTreeMap<String, String>,
    key: SourceKey,
}

/// What opens the source.
enum SourceKey {
    /// It is not encrypted.
    None,
    /// A key of ours, of a volume or backup.
    Own(String),
    /// The one that an image names.
    Named(String),
}

/// Key and cipher of an encrypted volume.
type Locked = Option<(String, String)>;

impl Cinder {
    /// Written and on its way: its status is `creating`.
    pub async fn create_volume(&self, ctx: &Ctx, new: &NewVolume) -> Result<Volume> {
        ctx.authorize(if new.image.is_some() { &policy::CREATE_FROM_IMAGE } else { &policy::CREATE }, None)?;
        if [&new.image, &new.snapshot, &new.source, &new.backup]
            .iter()
            .filter(|source| source.is_some())
            .count()
            > 1
        {
            return Err(invalid_input(
                "The following options are mutually exclusive: snapshot, imageRef, source_volume, backup",
            ));
        }
        if let Some(zone) = &new.availability_zone
            && *zone != self.config.availability_zone
        {
            return Err(Error::bad_request(format!("Availability zone '{zone}' is invalid.")));
        }
        let of_snapshot = self.snapshot_behind(ctx, new).await?;
        let new = of_snapshot.as_ref().unwrap_or(new);
        let image = match &new.image {
            Some(reference) => Some(self.image_for(ctx, reference, new.size).await?),
            None => None,
        };
        let id = new.id.clone().unwrap_or_else(base::id::uuid);
        let made: Volume = db::write!(self.db, |tx| {
            match store::get(tx, &id).await? {
                Some(there) => Ok(there),
                None => self.make_in(tx, ctx, new, image.as_ref(), &id).await,
            }
        })?;
        self.waker.wake(&format!("volume/{id}"));
        Ok(made)
    }

    /// In the caller's transaction: whoever commits wakes `volume/<id>`.
    pub(crate) async fn make_in(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        new: &NewVolume,
        image: Option<&Image>,
        id: &str,
    ) -> Result<Volume> {
        let project = ctx.require_project()?;
        let source = self.source(tx, ctx, new, image).await?;
        let size = size_of(new, &source)?;
        let kind = self.kind(tx, ctx, project, new, &source).await?;
        rules::size_fits(&kind, size)?;
        if let Some(group) = &new.group {
            may_join(&groups::load(tx, ctx, group).await?, new, &kind)?;
        }
        let more = More { volumes: 1, gib: size, ..More::default() };
        quotas::store::take(tx, project, &kind, more, size).await?;
        let (key_id, cipher) = self.lock(tx, ctx, &kind, &source).await?.unzip();
        let head = match source.layers.last() {
            Some(below) => Layer::over(&below.id, gib(size)),
            None => Layer::blank(gib(size)),
        };
        // A source's layers are there already, an image's is new.
        for layer in source.layers.iter().filter(|layer| layer.image_id.is_some() && new.image.is_some()) {
            // What was encrypted as an image is so as a layer; of a volume that is not, it is data like any other.
            let sealed = matches!(source.key, SourceKey::Named(_)) && layer.format == LayerFormat::Raw;
            layers::store::insert(tx, &layer.clone().locked(cipher.clone().filter(|_| sealed))).await?;
        }
        let head = head.locked(cipher.clone());
        layers::store::insert(tx, &head).await?;
        let volume = Volume {
            id: id.into(),
            project_id: project.into(),
            user_id: ctx.user_id().into(),
            name: new.name.clone(),
            description: new.description.clone(),
            size,
            pending_size: None,
            status: Status::Creating,
            previous_status: None,
            migration_status: None,
            type_id: kind.id.clone(),
            availability_zone: self.config.availability_zone.clone(),
            bootable: source.bootable,
            multiattach: kind.is_multiattach(),
            readonly: None,
            snapshot_id: new.snapshot.clone(),
            source_volid: new.source.clone(),
            image_id: source.image_id,
            metadata: source.metadata.into_iter().chain(new.metadata.clone()).collect(),
            image_metadata: source.image_metadata,
            upload: None,
            head: head.id,
            writing: None,
            flat: None,
            key_id,
            cipher,
            pending_type: None,
            flat_key_id: None,
            group_id: new.group.clone(),
            created_at: base::time::now(),
            updated_at: None,
            generation: 0,
        };
        store::insert(tx, ctx, &volume).await?;
        Ok(volume)
    }

    async fn kind(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        project: &str,
        new: &NewVolume,
        source: &Source,
    ) -> Result<VolumeType> {
        let from_image = source.image_metadata.get("cinder_img_volume_type").filter(|_| new.image.is_some());
        let kind = match (&new.volume_type, &source.type_id, from_image) {
            (Some(wanted), ..) => types::find(tx, ctx, wanted).await?,
            (None, Some(id), _) => {
                types::store::get(tx, id).await?.ok_or_else(|| crate::words::no_type(id))?
            }
            (None, None, Some(wanted)) => types::find(tx, ctx, wanted).await?,
            (None, None, None) => types::default_of(tx, project).await?,
        };
        // Whoever chooses another type than the source's gets the same encryption, or nothing.
        if let (Some(_), Some(of_source)) = (&new.volume_type, &source.type_id)
            && *of_source != kind.id
        {
            let before = types::store::get(tx, of_source).await?.and_then(|kind| kind.encryption_specs());
            if before != kind.encryption_specs() {
                let advice = match new.snapshot {
                    Some(_) => "recommend omitting the type argument",
                    None => "either match source volume, or omit type argument",
                };
                return Err(invalid_input(format!(
                    "Invalid volume_type provided: {} (requested type is not compatible; {advice}).",
                    kind.id
                )));
            }
        }
        Ok(kind)
    }

    /// A key of its own, which is the source's if that has one.
    async fn lock(&self, tx: &mut Tx, ctx: &Ctx, kind: &VolumeType, source: &Source) -> Result<Locked> {
        let Some(encryption) = kind.encryption_specs() else {
            return match source.key {
                SourceKey::Own(_) => Err(invalid_input(format!(
                    "The source is encrypted, and volumes of type {} are not.",
                    kind.name
                ))),
                _ => Ok(None),
            };
        };
        if kind.is_multiattach() {
            return Err(invalid_volume("Multiattach cannot be used with encrypted volumes."));
        }
        let cipher = encryption.cipher()?;
        let key = match &source.key {
            SourceKey::None => self.keys.make(tx, ctx, &encryption).await?,
            SourceKey::Own(id) => self.keys.copy(tx, ctx, id).await?,
            SourceKey::Named(id) => self.keys.copy_named(tx, ctx, id).await?,
        };
        Ok(Some((key, cipher)))
    }

    async fn source(&self, tx: &mut Tx, ctx: &Ctx, new: &NewVolume, image: Option<&Image>) -> Result<Source> {
        let mut source = Source {
            layers: Vec::new(),
            size: 0,
            bootable: false,
            type_id: None,
            image_metadata: BTreeMap::new(),
            image_id: None,
            metadata: BTreeMap::new(),
            key: SourceKey::None,
        };
        let own = |key: Option<String>| key.map_or(SourceKey::None, SourceKey::Own);
        if let Some(image) = image {
            let bytes = image.virtual_size.or(image.size).unwrap_or(0);
            source.layers.push(Layer::of_image(&image.id, format_of(image)?, bytes));
            source.bootable = true;
            source.image_metadata = metadata_of(image);
            source.image_id = Some(image.id.clone());
            if let Some(key) = image.properties.get(rules::IMAGE_KEY) {
                source.key = SourceKey::Named(key.clone());
            }
        } else if let Some(id) = &new.snapshot {
            let snapshot = snapshots::load(tx, ctx, id).await?;
            if snapshot.status != "available" {
                return Err(invalid_snapshot(
                    "Originating snapshot status must be one of 'available' values",
                ));
            }
            source.layers.push(layer(tx, &snapshot.layer).await?);
            source.size = snapshot.size;
            source.type_id = Some(snapshot.type_id);
            if let Some(volume) = store::get(tx, &snapshot.volume_id).await? {
                source.bootable = volume.bootable;
                source.image_metadata = volume.image_metadata;
                source.key = own(volume.key_id);
            }
        } else if let Some(id) = &new.source {
            let mut volume = load(tx, ctx, id).await?;
            if !matches!(volume.status, Status::Available | Status::InUse) {
                return Err(invalid_volume(
                    "Originating source volume status must be one of 'available, in-use' values",
                ));
            }
            let frozen = freeze(tx, &mut volume).await?;
            store::update(tx, ctx, "volume.clone", &mut volume).await?;
            source.layers.push(layer(tx, &frozen).await?);
            source.size = volume.size;
            source.type_id = Some(volume.type_id);
            source.bootable = volume.bootable;
            source.image_metadata = volume.image_metadata;
            source.key = own(volume.key_id);
        }
        if let Some(id) = &new.backup {
            let backup = backups::load(tx, ctx, id).await?;
            if backup.status != "available" {
                return Err(Error::bad_request(
                    "Invalid backup: Originating backup status must be one of 'available, restoring' values",
                ));
            }
            source.layers.push(layer(tx, &backup.layer).await?);
            source.size = backup.size;
            source.bootable = backup.bootable;
            source.image_metadata = backup.image_metadata;
            source.metadata = backup.volume_metadata;
            source.key = own(backup.key_id);
        }
        Ok(source)
    }

    /// Since 3.46: an image of a server that boots from a volume has no data, and says which snapshot it is.
    async fn snapshot_behind(&self, ctx: &Ctx, new: &NewVolume) -> Result<Option<NewVolume>> {
        let Some(id) = new.image.as_ref().filter(|id| ctx.at_least(3, 46) && base::id::is_uuid(id)) else {
            return Ok(None);
        };
        // What is wrong with the image is told where it is looked at.
        let Ok(image) = self.glance.image(ctx, id).await else { return Ok(None) };
        let Some(snapshot) = root_snapshot(&image) else { return Ok(None) };
        Ok(Some(NewVolume { image: None, snapshot: Some(snapshot), ..new.clone() }))
    }

    /// The image behind a reference: an id, a URL that ends with one, or the name of the only image that has it.
    async fn image_for(&self, ctx: &Ctx, reference: &str, size: Option<i64>) -> Result<Image> {
        let id = reference.rsplit('/').next().unwrap_or(reference);
        let refused = || Error::bad_request("Invalid image identifier or unable to access requested image.");
        let image = if base::id::is_uuid(id) {
            self.glance.image(ctx, id).await.map_err(|e| if e.is_not_found() { refused() } else { e })?
        } else {
            let mut named = self.glance.images_named(ctx, reference).await?;
            if named.len() > 1 {
                return Err(Error::conflict(format!(
                    "Multiple matches found for '{reference}', use an ID to be more specific."
                )));
            }
            named.pop().ok_or_else(refused)?
        };
        rules::image_fits(&image, size.ok_or_else(no_size)?)?;
        Ok(image)
    }
}

fn may_join(group: &Group, new: &NewVolume, kind: &VolumeType) -> Result<()> {
    if new.volume_type.is_none() {
        return Err(invalid_input("volume_type must be provided when creating a volume in a group."));
    }
    if !group.volume_types.contains(&kind.id) {
        return Err(invalid_input(format!(
            "Invalid volume_type provided: {} (requested type must be supported by this group).",
            kind.name
        )));
    }
    Ok(())
}

fn no_size() -> Error {
    invalid_input("Volume size 'None' must be an integer and greater than 0")
}

async fn layer(tx: &mut Tx, id: &str) -> Result<Layer> {
    let found = layers::store::get(tx, id).await?;
    found.ok_or_else(|| Error::internal(format!("layer {id} has no row")))
}

fn size_of(new: &NewVolume, source: &Source) -> Result<i64> {
    let size = new.size.or_else(|| Some(source.size).filter(|size| *size > 0)).ok_or_else(no_size)?;
    if size >= source.size {
        return Ok(size);
    }
    Err(invalid_input(match new.snapshot {
        Some(_) => format!(
            "Volume size '{size}'GB cannot be smaller than the snapshot size {}GB. They must be >= original snapshot \
             size.",
            source.size
        ),
        None if new.backup.is_some() => format!(
            "Volume size {size}GB cannot be smaller than the backup size {}GB. It must be >= backup size.",
            source.size
        ),
        None => format!(
            "Volume size '{size}'GB cannot be smaller than original volume size  {}GB. They must be >= original volume \
             size.",
            source.size
        ),
    }))
}

pub fn format_of(image: &Image) -> Result<LayerFormat> {
    match image.disk_format.as_deref() {
        Some("qcow2") => Ok(LayerFormat::Qcow2),
        Some("raw" | "iso" | "ami" | "ari" | "aki") => Ok(LayerFormat::Raw),
        other => Err(Error::bad_request(format!(
            "Image {} is unacceptable: disk format {} is not supported here: use raw or qcow2.",
            image.id,
            other.unwrap_or("None")
        ))),
    }
}

/// The snapshot that an image of a server that boots from a volume stands for.
pub fn root_snapshot(image: &Image) -> Option<String> {
    let mapping = image.properties.get("block_device_mapping")?;
    let devices: Vec<serde_json::Value> = serde_json::from_str(mapping).unwrap_or_default();
    let root = devices.iter().find(|one| one["source_type"] == "snapshot" && one["boot_index"] == 0);
    root?["snapshot_id"].as_str().map(str::to_owned)
}

pub fn metadata_of(image: &Image) -> BTreeMap<String, String> {
    let mut metadata = image.properties.clone();
    // The key is the image's.
    metadata.retain(|key, _| ![rules::IMAGE_KEY, rules::IMAGE_KEY_POLICY].contains(&key.as_str()));
    let known = [
        ("image_id", Some(image.id.clone())),
        ("image_name", image.name.clone()),
        ("container_format", image.container_format.clone()),
        ("disk_format", image.disk_format.clone()),
        ("checksum", image.checksum.clone()),
        ("size", image.size.map(|n| n.to_string())),
        ("min_disk", Some(image.min_disk.to_string())),
        ("min_ram", Some(image.min_ram.to_string())),
    ];
    metadata.extend(known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    metadata.retain(|key, _| !key.starts_with("os_glance"));
    metadata
}
