//! Servers as JSON, by microversion. A list of them is written straight from rows, ports and microversion to text: this
//! is the longest answer of the API and the one that clients poll.

use std::collections::HashMap;
use std::fmt;

use base::Ctx;
use neutron::PortView;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha224};

use super::{Server, VmState, rules};
use crate::links::Links;

/// What the view of a server needs besides its row.
pub(crate) struct Around<'a> {
    pub ports: &'a [PortView],
    /// Volumes, and whether they are deleted with the server.
    pub volumes: &'a [(String, bool)],
    /// For admins.
    pub user_data: Option<&'a str>,
    /// Whether group membership is shown (2.71, one server).
    pub groups: bool,
    pub zone: &'a str,
    /// UP, MAINTENANCE or DOWN.
    pub host_status: &'static str,
    pub host_id: &'a str,
    pub boot_drive: &'static str,
}

/// Which answer it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Show and list.
    Whole,
    /// Before 2.75 an update told only what the first API had.
    Update,
    /// As an update; its user data is told by its own key.
    Rebuild,
}

pub(crate) struct View<'a> {
    pub ctx: &'a Ctx,
    pub links: &'a Links,
    pub server: &'a Server,
    pub around: Around<'a>,
    pub shape: Shape,
}

pub(crate) fn brief(links: &Links, server: &Server) -> Value {
    json!({"id": server.id, "name": server.name, "links": links.of("servers", &server.id)})
}

/// Tells hosts apart without naming them, differently in each project.
pub(crate) fn host_id(project: &str, host: Option<&str>) -> String {
    let Some(host) = host else { return String::new() };
    Sha224::digest(format!("{project}{host}")).iter().map(|b| format!("{b:02x}")).collect()
}

fn micros(at: Option<i64>) -> Option<String> {
    at.map(base::time::micros_naive)
}

/// A JSON object kept as text, and given out as it is.
fn object(text: &str) -> &RawValue {
    serde_json::from_str(text).unwrap_or(RawValue::NULL)
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let whole = self.shape == Shape::Whole || self.ctx.at_least(2, 75);
        self.core(&mut map, whole)?;
        if whole {
            self.extended(&mut map)?;
        }
        self.newer(&mut map, whole)?;
        map.end()
    }
}

impl View<'_> {
    fn core<M: SerializeMap>(&self, map: &mut M, whole: bool) -> Result<(), M::Error> {
        let View { ctx, links, server, around, .. } = self;
        let status = rules::status(server);
        map.serialize_entry("id", &server.id)?;
        map.serialize_entry("name", &server.name)?;
        map.serialize_entry("status", status)?;
        map.serialize_entry("tenant_id", &server.project_id)?;
        map.serialize_entry("user_id", &server.user_id)?;
        map.serialize_entry("metadata", &server.metadata)?;
        map.serialize_entry("hostId", around.host_id)?;
        match &server.image_id {
            Some(_) => map.serialize_entry("image", &Image(self))?,
            None => map.serialize_entry("image", "")?,
        }
        map.serialize_entry("flavor", &Flavor(self))?;
        map.serialize_entry("created", &base::time::seconds_z(server.created_at))?;
        map.serialize_entry("updated", &base::time::seconds_z(server.updated_at))?;
        let ports = if server.vm_state == VmState::Building { &[] } else { around.ports };
        map.serialize_entry("addresses", &Addresses { ports, macs: whole })?;
        map.serialize_entry("accessIPv4", server.access_ipv4.as_deref().unwrap_or(""))?;
        map.serialize_entry("accessIPv6", server.access_ipv6.as_deref().unwrap_or(""))?;
        map.serialize_entry("links", &Pair { links, id: &server.id })?;
        map.serialize_entry("OS-DCF:diskConfig", &server.disk_config)?;
        if matches!(status, "ACTIVE" | "BUILD" | "REBUILD" | "RESIZE" | "VERIFY_RESIZE" | "MIGRATING") {
            map.serialize_entry("progress", &0)?;
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
            map.serialize_entry("fault", &shown)?;
        }
        Ok(())
    }

    /// What were extensions once.
    fn extended<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let View { ctx, server, around, .. } = self;
        map.serialize_entry("config_drive", if server.config_drive { "True" } else { "" })?;
        map.serialize_entry("key_name", &server.key_name)?;
        map.serialize_entry("OS-EXT-AZ:availability_zone", around.zone)?;
        map.serialize_entry("OS-EXT-STS:task_state", &server.task_state.map(super::TaskState::as_str))?;
        map.serialize_entry("OS-EXT-STS:vm_state", server.vm_state.as_str())?;
        map.serialize_entry("OS-EXT-STS:power_state", &(server.power_state as i64))?;
        map.serialize_entry("OS-SRV-USG:launched_at", &micros(server.launched_at))?;
        map.serialize_entry("OS-SRV-USG:terminated_at", &micros(server.terminated_at))?;
        let deleted = ctx.at_least(2, 3);
        map.serialize_entry("os-extended-volumes:volumes_attached", &Volumes(around.volumes, deleted))?;
        let groups = security_groups(around.ports);
        if !groups.is_empty() {
            map.serialize_entry("security_groups", &Names(&groups))?;
        }
        if !ctx.is_admin() {
            return Ok(());
        }
        map.serialize_entry("OS-EXT-SRV-ATTR:host", &server.host)?;
        map.serialize_entry("OS-EXT-SRV-ATTR:hypervisor_hostname", &server.host)?;
        map.serialize_entry("OS-EXT-SRV-ATTR:instance_name", &instance_name(server))?;
        if ctx.at_least(2, 3) {
            map.serialize_entry("OS-EXT-SRV-ATTR:hostname", &server.hostname)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:kernel_id", "")?;
            map.serialize_entry("OS-EXT-SRV-ATTR:ramdisk_id", "")?;
            map.serialize_entry("OS-EXT-SRV-ATTR:launch_index", &server.launch_index)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:reservation_id", &server.reservation_id)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:root_device_name", around.boot_drive)?;
            if self.shape != Shape::Rebuild {
                map.serialize_entry("OS-EXT-SRV-ATTR:user_data", &around.user_data)?;
            }
        }
        Ok(())
    }

    /// What microversions added.
    fn newer<M: SerializeMap>(&self, map: &mut M, whole: bool) -> Result<(), M::Error> {
        let View { ctx, server, around, .. } = self;
        let since = |minor: u16| ctx.at_least(2, minor);
        if since(9) {
            map.serialize_entry("locked", &server.locked_by.is_some())?;
        }
        if since(16) && whole && ctx.is_admin() {
            map.serialize_entry("host_status", if server.host.is_some() { around.host_status } else { "" })?;
        }
        if since(19) {
            map.serialize_entry("description", &server.description)?;
        }
        if since(26) {
            map.serialize_entry("tags", &server.tags)?;
        }
        if since(63) {
            map.serialize_entry("trusted_image_certificates", &server.trusted_certificates)?;
        }
        if since(71) && around.groups {
            map.serialize_entry("server_groups", &server.group_id.iter().collect::<Vec<_>>())?;
        }
        if since(73) {
            map.serialize_entry("locked_reason", &server.locked_reason)?;
        }
        if since(90) && !ctx.is_admin() {
            map.serialize_entry("OS-EXT-SRV-ATTR:hostname", &server.hostname)?;
        }
        if since(96) {
            map.serialize_entry("pinned_availability_zone", &server.pinned_zone)?;
        }
        if since(100) {
            map.serialize_entry("scheduler_hints", object(&server.scheduler_hints))?;
        }
        Ok(())
    }
}

struct Image<'a>(&'a View<'a>);

impl Serialize for Image<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let View { ctx, links, server, .. } = self.0;
        let id = server.image_id.as_deref().unwrap_or_default();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", id)?;
        map.serialize_entry("links", &[Link::bookmark(links, "images", id)])?;
        if ctx.at_least(2, 98) {
            map.serialize_entry("properties", object(&server.image_properties))?;
        }
        map.end()
    }
}

/// The flag is told since 2.3.
struct Volumes<'a>(&'a [(String, bool)], bool);

impl Serialize for Volumes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Volume<'a> {
            id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            delete_on_termination: Option<bool>,
        }
        serializer.collect_seq(
            self.0
                .iter()
                .map(|(id, deleted)| Volume { id, delete_on_termination: self.1.then_some(*deleted) }),
        )
    }
}

struct Flavor<'a>(&'a View<'a>);

impl Serialize for Flavor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let View { ctx, links, server, .. } = self.0;
        let flavor = &server.flavor;
        let mut map = serializer.serialize_map(None)?;
        if !ctx.at_least(2, 47) {
            map.serialize_entry("id", &flavor.id)?;
            map.serialize_entry("links", &[Link::bookmark(links, "flavors", &flavor.id)])?;
            return map.end();
        }
        map.serialize_entry("original_name", &flavor.name)?;
        map.serialize_entry("vcpus", &flavor.vcpus)?;
        map.serialize_entry("ram", &flavor.memory_mib)?;
        map.serialize_entry("disk", &flavor.root_gib)?;
        map.serialize_entry("ephemeral", &flavor.ephemeral_gib)?;
        map.serialize_entry("swap", &flavor.swap_mib)?;
        map.serialize_entry("extra_specs", &flavor.extra_specs)?;
        map.end()
    }
}

/// One link; its URL is never a string of its own.
struct Link<'a> {
    rel: &'static str,
    href: [&'a str; 5],
}

impl<'a> Link<'a> {
    fn bookmark(links: &'a Links, collection: &'a str, id: &'a str) -> Self {
        Link { rel: "bookmark", href: [links.base(), "/", collection, "/", id] }
    }
}

impl Serialize for Link<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Href<'a>(&'a [&'a str]);
        impl fmt::Display for Href<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|part| f.write_str(part))
            }
        }
        impl Serialize for Href<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rel", self.rel)?;
        map.serialize_entry("href", &Href(&self.href))?;
        map.end()
    }
}

/// The self and bookmark links of a server.
struct Pair<'a> {
    links: &'a Links,
    id: &'a str,
}

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Pair { links, id } = self;
        let mut list = serializer.serialize_seq(Some(2))?;
        let own = [links.base(), "/v2.1/", "servers", "/", id];
        list.serialize_element(&Link { rel: "self", href: own })?;
        list.serialize_element(&Link::bookmark(links, "servers", id))?;
        list.end()
    }
}

/// Network name -> its addresses: fixed ones first, then the floating ones that lead to them.
pub(crate) struct Addresses<'a> {
    pub ports: &'a [PortView],
    /// Only in a server's own view.
    pub macs: bool,
}

impl Serialize for Addresses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (i, port) in self.ports.iter().enumerate() {
            let name = &port.network_name;
            if self.ports[..i].iter().any(|p| p.network_name == *name) {
                continue;
            }
            map.serialize_entry(name, &OfNetwork { all: self, name })?;
        }
        map.end()
    }
}

struct OfNetwork<'a> {
    all: &'a Addresses<'a>,
    name: &'a str,
}

impl Serialize for OfNetwork<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for port in self.all.ports.iter().filter(|p| p.network_name == self.name) {
            let mac = self.all.macs.then_some(&*port.mac);
            for ip in &port.fixed_ips {
                let version = if ip.address.is_ipv4() { 4 } else { 6 };
                list.serialize_element(&Address { version, address: &ip.address, kind: "fixed", mac })?;
            }
            for ip in port.fixed_ips.iter().filter_map(|ip| ip.floating.as_ref()) {
                list.serialize_element(&Address { version: 4, address: ip, kind: "floating", mac })?;
            }
        }
        list.end()
    }
}

struct Address<'a, A> {
    version: u8,
    address: &'a A,
    kind: &'static str,
    mac: Option<&'a str>,
}

impl<A: Serialize> Serialize for Address<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &self.version)?;
        map.serialize_entry("addr", self.address)?;
        if let Some(mac) = self.mac {
            map.serialize_entry("OS-EXT-IPS:type", self.kind)?;
            map.serialize_entry("OS-EXT-IPS-MAC:mac_addr", mac)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Named<'a> {
    name: &'a str,
}

/// `[{"name": ..}]`
struct Names<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (_, name) in self.0 {
            list.serialize_element(&Named { name })?;
        }
        list.end()
    }
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

/// The hypervisor's name for the machine.
pub(crate) fn instance_name(server: &Server) -> String {
    format!("instance-{}", server.id.get(..8).unwrap_or(&server.id))
}

/// Server id -> its ports, for many servers at once.
pub(crate) type Ports = HashMap<String, Vec<PortView>>;
