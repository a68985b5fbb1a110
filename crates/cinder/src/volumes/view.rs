//! JSON of volumes.

use base::Ctx;
use base::time::micros_naive;
use serde_json::{Map, Value, json};

use super::Volume;
use crate::asker::Links;
use crate::attachments::Attachment;
use crate::types::TypeNames;

pub fn summary(links: &Links, volume: &Volume) -> Value {
    json!({"id": volume.id, "name": volume.name, "links": links.of("volumes", &volume.id)})
}

/// What one volume's JSON takes besides the volume.
pub struct Around<'a> {
    pub ctx: &'a Ctx,
    pub links: &'a Links,
    pub types: &'a TypeNames,
    pub pool: &'a str,
    /// With what extensions add, which answers to a creation or change lack.
    pub whole: bool,
}

pub fn detail(around: &Around<'_>, volume: &Volume, attachments: &[Attachment]) -> Value {
    let ctx = around.ctx;
    let mut metadata: Map<String, Value> =
        volume.metadata.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    if let Some(readonly) = volume.readonly {
        metadata.insert("readonly".into(), if readonly { "True" } else { "False" }.into());
    }
    let attached: Vec<Value> =
        attachments.iter().filter(|a| a.is_attached()).map(|a| attachment(ctx, a)).collect();
    if let Some(mode) = attachments.iter().find(|a| a.is_by_action()).and_then(|a| a.mode.as_ref()) {
        metadata.insert("attached_mode".into(), mode.as_str().into());
    }
    let mut body = json!({
        "id": volume.id,
        "status": volume.status.as_str(),
        "size": volume.size,
        "availability_zone": volume.availability_zone,
        "created_at": micros_naive(volume.created_at),
        "updated_at": volume.updated_at.map(micros_naive),
        "name": volume.name,
        "description": volume.description,
        "volume_type": around.types.name(&volume.type_id),
        "snapshot_id": volume.snapshot_id,
        "source_volid": volume.source_volid,
        "metadata": metadata,
        "links": around.links.of("volumes", &volume.id),
        "user_id": volume.user_id,
        "bootable": if volume.bootable { "true" } else { "false" },
        "encrypted": volume.key_id.is_some(),
        "replication_status": null,
        "consistencygroup_id": null,
        "multiattach": volume.multiattach,
        "attachments": attached,
    });
    let admin = ctx.is_admin();
    if admin {
        body["migration_status"] = json!(volume.migration_status);
    }
    if ctx.at_least(3, 13) {
        body["group_id"] = json!(volume.group_id);
    }
    if admin && ctx.at_least(3, 21) {
        body["provider_id"] = Value::Null;
    }
    if ctx.at_least(3, 48) {
        body["shared_targets"] = json!(false);
        body["service_uuid"] = Value::Null;
    }
    if admin && ctx.at_least(3, 61) {
        body["cluster_name"] = Value::Null;
    }
    if ctx.at_least(3, 63) {
        body["volume_type_id"] = json!(volume.type_id);
    }
    if let Some(key) = volume.key_id.as_ref().filter(|_| ctx.at_least(3, 64)) {
        body["encryption_key_id"] = json!(key);
    }
    if ctx.at_least(3, 65) {
        body["consumes_quota"] = json!(true);
    }
    if !around.whole {
        return body;
    }
    if admin {
        body["os-vol-host-attr:host"] = json!(around.pool);
        body["os-vol-mig-status-attr:migstat"] = json!(volume.migration_status);
        body["os-vol-mig-status-attr:name_id"] = Value::Null;
    }
    body["os-vol-tenant-attr:tenant_id"] = json!(volume.project_id);
    if !volume.image_metadata.is_empty() {
        body["volume_image_metadata"] = json!(volume.image_metadata);
    }
    body
}

/// Only those that run services learn hosts' names.
fn attachment(ctx: &Ctx, attachment: &Attachment) -> Value {
    let host = attachment.host.as_ref().filter(|_| ctx.is_admin() || ctx.auth.has_role("service"));
    json!({
        "id": attachment.volume_id,
        "attachment_id": attachment.id,
        "volume_id": attachment.volume_id,
        "server_id": attachment.server_id,
        "host_name": host,
        "device": attachment.mountpoint,
        "attached_at": attachment.attached_at.map(micros_naive),
    })
}
