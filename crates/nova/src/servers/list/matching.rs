//! Which servers a query means, and their order.

use std::cmp::Ordering;

use super::query::{Query, TagFilter};
use crate::servers::{Server, TaskState};

pub(super) fn matches(query: &Query, server: &Server, zone: &str) -> bool {
    let text = |key: &str| -> String {
        let instant = |at: Option<i64>| at.map(base::time::micros_naive).unwrap_or_default();
        match key {
            "name" | "display_name" => server.name.clone(),
            "description" | "display_description" => server.description.clone().unwrap_or_default(),
            "hostname" => server.hostname.clone(),
            "key_name" => server.key_name.clone().unwrap_or_default(),
            "flavor" => server.flavor.id.clone(),
            "launched_at" => instant(server.launched_at),
            "terminated_at" => instant(server.terminated_at),
            "created_at" => instant(Some(server.created_at)),
            "access_ip_v4" => server.access_ipv4.clone().unwrap_or_default(),
            "access_ip_v6" => server.access_ipv6.clone().unwrap_or_default(),
            "locked_by" => server.locked_by.clone().unwrap_or_default(),
            "availability_zone" => server
                .host
                .as_ref()
                .map_or_else(|| server.pinned_zone.clone().unwrap_or_default(), |_| zone.into()),
            "power_state" => (server.power_state as i64).to_string(),
            "launch_index" => server.launch_index.to_string(),
            "progress" => "0".into(),
            "config_drive" => if server.config_drive { "True" } else { "" }.into(),
            "root_device_name" => crate::BOOT_DRIVE.into(),
            "auto_disk_config" => (server.disk_config == "AUTO").to_string(),
            _ => String::new(),
        }
    };
    if !query.patterns.iter().all(|(key, pattern)| pattern.is_match(&text(key))) {
        return false;
    }
    query.tags.iter().all(|(filter, tags)| {
        let has = |t: &String| server.tags.contains(t);
        match filter {
            TagFilter::All => tags.iter().all(has),
            TagFilter::Any => tags.iter().any(has),
            TagFilter::NotAll => !tags.iter().all(has),
            TagFilter::NotAny => !tags.iter().any(has),
        }
    })
}

pub(super) fn compare(key: &str, a: &Server, b: &Server) -> Ordering {
    match key {
        "display_name" => a.name.cmp(&b.name),
        "display_description" => a.description.cmp(&b.description),
        "hostname" => a.hostname.cmp(&b.hostname),
        "uuid" => a.id.cmp(&b.id),
        "user_id" => a.user_id.cmp(&b.user_id),
        "project_id" => a.project_id.cmp(&b.project_id),
        "vm_state" => a.vm_state.as_str().cmp(b.vm_state.as_str()),
        "task_state" => a.task_state.map(TaskState::as_str).cmp(&b.task_state.map(TaskState::as_str)),
        "power_state" => (a.power_state as i64).cmp(&(b.power_state as i64)),
        "image_ref" => a.image_id.cmp(&b.image_id),
        "instance_type_id" => a.flavor.id.cmp(&b.flavor.id),
        "key_name" => a.key_name.cmp(&b.key_name),
        "host" | "node" => a.host.cmp(&b.host),
        "launch_index" => a.launch_index.cmp(&b.launch_index),
        "launched_at" => a.launched_at.cmp(&b.launched_at),
        "terminated_at" => a.terminated_at.cmp(&b.terminated_at),
        "created_at" => a.created_at.cmp(&b.created_at),
        "updated_at" => a.updated_at.cmp(&b.updated_at),
        "locked" => a.locked_by.is_some().cmp(&b.locked_by.is_some()),
        "locked_by" => a.locked_by.cmp(&b.locked_by),
        "availability_zone" => a.pinned_zone.cmp(&b.pinned_zone),
        "config_drive" => a.config_drive.cmp(&b.config_drive),
        "access_ip_v4" => a.access_ipv4.cmp(&b.access_ipv4),
        "access_ip_v6" => a.access_ipv6.cmp(&b.access_ipv6),
        "auto_disk_config" => a.disk_config.cmp(&b.disk_config),
        _ => Ordering::Equal,
    }
}
