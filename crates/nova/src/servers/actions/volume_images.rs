//! An image of a server that boots from a volume: no data of its own, but snapshots of the server's volumes and what to make
//! of them.

use base::{Ctx, Error, Kind};
use glance::{Image, Status};
use serde_json::{Value, json};

use crate::Nova;
use crate::block_devices::{BlockDevice, policy, store as devices};
use crate::instance_actions::store as actions;
use crate::servers::{Server, VmState, rules, store};

/// One snapshot as a server that is made of the image will ask for it.
fn mapped(device: &BlockDevice, snapshot: &str, size: i64) -> Value {
    json!({
        "source_type": "snapshot",
        "destination_type": "volume",
        "snapshot_id": snapshot,
        "volume_id": null,
        "image_id": null,
        "volume_size": size,
        "volume_type": null,
        "boot_index": device.boot_index,
        "device_name": device.device_name,
        "device_type": device.device_type.as_deref().unwrap_or("disk"),
        "disk_bus": device.disk_bus.as_deref().unwrap_or("virtio"),
        "guest_format": null,
        "delete_on_termination": device.delete_on_termination,
        "no_device": null,
        "tag": null,
    })
}

/// All in one transaction: an image always has all of its snapshots.
pub(super) async fn create(
    nova: &Nova,
    ctx: &Ctx,
    server: &Server,
    planned: &Image,
    states: &[VmState],
) -> base::Result<()> {
    ctx.authorize(&policy::CREATE_IMAGE, Some(&server.project_id))?;
    let name = planned.name.clone().unwrap_or_default();
    let (id, label) = (&server.id, format!("snapshot for {name}"));
    let made: Vec<String> = db::write!(nova.db, |tx| {
        let server = store::find(tx, ctx, id).await?;
        rules::check_state(&server, "createImage", states)?;
        let mut image = planned.clone();
        let (mut mapping, mut made) = (Vec::new(), Vec::new());
        for device in devices::of_server(tx, id).await?.iter().filter(|device| device.is_shown()) {
            let snapshot = base::id::uuid();
            let taken = nova.cinder.make_snapshot_within(tx, ctx, &device.volume_id, &snapshot, &label).await;
            let taken = taken.map_err(|error| match error.kind {
                Kind::TooLarge => Error::forbidden("Quota exceeded for resources: snapshots."),
                _ => error,
            })?;
            mapping.push(mapped(device, &taken.id, taken.size));
            made.push(taken.id);
        }
        image.status = Status::Active;
        image.size = Some(0);
        image.disk_format = None;
        image.container_format = None;
        let properties = [
            ("block_device_mapping", Value::Array(mapping).to_string()),
            ("bdm_v2", "True".to_owned()),
            ("root_device_name", crate::BOOT_DRIVE.to_owned()),
        ];
        image.properties.extend(properties.map(|(key, value)| (key.to_owned(), value)));
        nova.glance.insert_image(tx, ctx, &image, &server.project_id).await?;
        actions::record(tx, ctx, id, &server.project_id, "createImage").await?;
        Ok::<_, Error>(made)
    })?;
    made.iter().for_each(|snapshot| nova.cinder.snapshot_made(snapshot));
    Ok(())
}
