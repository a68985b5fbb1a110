//! Servers as JSON, by microversion.

use std::collections::HashMap;

use base::Ctx;
use neutron::PortView;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha224};

use super::{Server, VmState, rules};
use crate::links::Links;

/// What the view of a server needs besides its row.
pub(crate) struct Around<'a> {
    pub ports: &'a [PortView],
    /// For admins.
    pub user_data: Option<&'a str>,
    /// `Some` where group membership is shown (2.71, one server).
    pub groups: bool,
    pub zone: &'a str,
    pub host_up: bool,
    pub host_id: &'a str,
    pub boot_drive: &'static str,
}

pub(crate) fn brief(links: &Links<'_>, server: &Server) -> Value {
    json!({"id": server.id, "name": server.name, "links": links.of("servers", &server.id)})
}

/// Tells hosts apart without naming them, differently in each project.
pub(crate) fn host_id(project: &str, host: Option<&str>) -> String {
    let Some(host) = host else { return String::new() };
    Sha224::digest(format!("{project}{host}")).iter().map(|b| format!("{b:02x}")).collect()
}

fn micros(at: Option<i64>) -> Value {
    at.map_or(Value::Null, |at| json!(base::time::micros_naive(at)))
}

pub(crate) fn full(ctx: &Ctx, links: &Links<'_>, server: &Server, around: &Around<'_>) -> Value {
    let mut out = core(ctx, links, server, around, true);
    extended(ctx, server, around, &mut out);
    newer(ctx, server, around, &mut out);
    Value::Object(out)
}

/// The answer to an update: before 2.75 only what the first API had.
pub(crate) fn updated(ctx: &Ctx, links: &Links<'_>, server: &Server, around: &Around<'_>) -> Value {
    if ctx.at_least(2, 75) {
        return full(ctx, links, server, around);
    }
    let mut out = core(ctx, links, server, around, false);
    newer(ctx, server, around, &mut out);
    out.remove("host_status");
    Value::Object(out)
}

fn core(
    ctx: &Ctx,
    links: &Links<'_>,
    server: &Server,
    around: &Around<'_>,
    macs: bool,
) -> Map<String, Value> {
    let status = rules::status(server);
    let mut out = Map::with_capacity(48);
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    put("id", json!(server.id));
    put("name", json!(server.name));
    put("status", json!(status));
    put("tenant_id", json!(server.project_id));
    put("user_id", json!(server.user_id));
    put("metadata", json!(server.metadata));
    put("hostId", json!(around.host_id));
    put(
        "image",
        match &server.image_id {
            Some(id) => json!({"id": id, "links": links.bookmark("images", id)}),
            None => json!(""),
        },
    );
    put("flavor", flavor(ctx, links, server));
    put("created", json!(base::time::seconds_z(server.created_at)));
    put("updated", json!(base::time::seconds_z(server.updated_at)));
    put(
        "addresses",
        if server.vm_state == VmState::Building { json!({}) } else { addresses(around.ports, macs) },
    );
    put("accessIPv4", json!(server.access_ipv4.as_deref().unwrap_or("")));
    put("accessIPv6", json!(server.access_ipv6.as_deref().unwrap_or("")));
    put("links", links.of("servers", &server.id));
    put("OS-DCF:diskConfig", json!(server.disk_config));
    if matches!(status, "ACTIVE" | "BUILD") {
        put("progress", json!(0));
    }
    if let (Some(fault), true) = (&server.fault, matches!(status, "ERROR" | "DELETED")) {
        let mut shown = json!({
            "code": fault.code,
            "created": base::time::seconds_z(fault.created),
            "message": fault.message,
        });
        if !fault.details.is_empty() && (ctx.is_admin() || fault.code != 500) {
            shown["details"] = json!(fault.details);
        }
        put("fault", shown);
    }
    out
}

fn flavor(ctx: &Ctx, links: &Links<'_>, server: &Server) -> Value {
    let flavor = &server.flavor;
    if !ctx.at_least(2, 47) {
        return json!({"id": flavor.id, "links": links.bookmark("flavors", &flavor.id)});
    }
    json!({
        "original_name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mib,
        "disk": flavor.root_gib,
        "ephemeral": flavor.ephemeral_gib,
        "swap": flavor.swap_mib,
        "extra_specs": flavor.extra_specs,
    })
}

/// Network name -> its addresses: fixed ones first, then the floating ones that lead to them.
pub(crate) fn addresses(ports: &[PortView], macs: bool) -> Value {
    let mut out = Map::new();
    for port in ports {
        let entry = |address: String, version: u8, kind: &str| {
            let mut entry = json!({"version": version, "addr": address});
            if macs {
                entry["OS-EXT-IPS:type"] = json!(kind);
                entry["OS-EXT-IPS-MAC:mac_addr"] = json!(port.mac);
            }
            entry
        };
        let list = out.entry(port.network_name.clone()).or_insert_with(|| json!([]));
        let Some(list) = list.as_array_mut() else { continue };
        for ip in &port.fixed_ips {
            let version = if ip.address.is_ipv4() { 4 } else { 6 };
            list.push(entry(ip.address.to_string(), version, "fixed"));
        }
        for ip in port.fixed_ips.iter().filter_map(|ip| ip.floating) {
            list.push(entry(ip.to_string(), 4, "floating"));
        }
    }
    Value::Object(out)
}

/// Names without repetition, in the order of the ports.
pub(crate) fn security_groups(ports: &[PortView]) -> Vec<(&str, &str)> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (id, name) in ports.iter().flat_map(|p| &p.security_groups) {
        if !seen.iter().any(|(known, _)| known == id) {
            seen.push((id, name));
        }
    }
    seen
}

/// What were extensions once.
fn extended(ctx: &Ctx, server: &Server, around: &Around<'_>, out: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    put("config_drive", json!(if server.config_drive { "True" } else { "" }));
    put("key_name", json!(server.key_name));
    put("OS-EXT-AZ:availability_zone", json!(around.zone));
    put("OS-EXT-STS:task_state", json!(server.task_state.map(super::TaskState::as_str)));
    put("OS-EXT-STS:vm_state", json!(server.vm_state.as_str()));
    put("OS-EXT-STS:power_state", json!(server.power_state as i64));
    put("OS-SRV-USG:launched_at", micros(server.launched_at));
    put("OS-SRV-USG:terminated_at", micros(server.terminated_at));
    put("os-extended-volumes:volumes_attached", json!([]));
    let groups = security_groups(around.ports);
    if !groups.is_empty() {
        let names: Vec<Value> = groups.iter().map(|(_, name)| json!({"name": name})).collect();
        put("security_groups", json!(names));
    }
    if !ctx.is_admin() {
        return;
    }
    put("OS-EXT-SRV-ATTR:host", json!(server.host));
    put("OS-EXT-SRV-ATTR:hypervisor_hostname", json!(server.host));
    put("OS-EXT-SRV-ATTR:instance_name", json!(instance_name(server)));
    if ctx.at_least(2, 3) {
        put("OS-EXT-SRV-ATTR:hostname", json!(server.hostname));
        put("OS-EXT-SRV-ATTR:kernel_id", json!(""));
        put("OS-EXT-SRV-ATTR:ramdisk_id", json!(""));
        put("OS-EXT-SRV-ATTR:launch_index", json!(server.launch_index));
        put("OS-EXT-SRV-ATTR:reservation_id", json!(server.reservation_id));
        put("OS-EXT-SRV-ATTR:root_device_name", json!(around.boot_drive));
        put("OS-EXT-SRV-ATTR:user_data", json!(around.user_data));
    }
}

/// The hypervisor's name for the machine.
pub(crate) fn instance_name(server: &Server) -> String {
    format!("instance-{}", server.id.get(..8).unwrap_or(&server.id))
}

/// What microversions added.
fn newer(ctx: &Ctx, server: &Server, around: &Around<'_>, out: &mut Map<String, Value>) {
    let mut put = |minor: u16, key: &str, value: Value| {
        if ctx.at_least(2, minor) {
            out.insert(key.to_owned(), value);
        }
    };
    put(9, "locked", json!(server.locked_by.is_some()));
    if ctx.is_admin() {
        put(
            16,
            "host_status",
            json!(match (&server.host, around.host_up) {
                (None, _) => "",
                (Some(_), true) => "UP",
                (Some(_), false) => "MAINTENANCE",
            }),
        );
    }
    put(19, "description", json!(server.description));
    put(26, "tags", json!(server.tags));
    put(63, "trusted_image_certificates", Value::Null);
    if around.groups {
        put(71, "server_groups", json!(server.group_id.iter().collect::<Vec<_>>()));
    }
    put(73, "locked_reason", json!(server.locked_reason));
    if !ctx.is_admin() {
        put(90, "OS-EXT-SRV-ATTR:hostname", json!(server.hostname));
    }
    put(96, "pinned_availability_zone", json!(server.pinned_zone));
}

/// Server id -> its ports, for many servers at once.
pub(crate) type Ports = HashMap<String, Vec<PortView>>;
