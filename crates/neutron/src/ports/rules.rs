//! What a port may be, and who may say so.

use base::{Ctx, Error, Result};
use serde_json::{Map, Value};

use super::addresses::Wanted;
use super::{AddressPair, DhcpOption, Port};
use crate::fault;
use crate::networks::Network;
use crate::request::Input;
use crate::standard::Standard;

const MAX_ADDRESS_PAIRS: usize = 10;

/// Ports are made on one's own networks and on shared ones; to an external network one goes through a router.
pub fn may_plug(is_open: bool, project_id: &str) -> Result<()> {
    if is_open {
        return Ok(());
    }
    Err(Error::forbidden(format!("Project {project_id} not allowed to create port on this network"))
        .code("HTTPForbidden"))
}

/// What only the network's owner may set on a port, as it could be used against the network's other users.
pub fn privileges(ctx: &Ctx, input: &Input, network: &Network, verb: &str) -> Result<()> {
    if ctx.owns(&network.standard.project_id) || ctx.auth.has_role("service") {
        return Ok(());
    }
    let refuse = |attribute: &str| Err(fault::policy(&format!("{verb}_port:{attribute}")));
    for attribute in ["mac_address", "port_security_enabled", "allowed_address_pairs"] {
        if input.has(attribute) {
            return refuse(attribute);
        }
    }
    if input.text("device_owner").is_some_and(|o| o.starts_with("network:")) {
        return refuse("device_owner");
    }
    let wanted: Option<Vec<Wanted>> = input.parsed("fixed_ips")?;
    if wanted.is_some_and(|w| w.iter().any(|w| w.ip_address.is_some())) {
        return refuse("fixed_ips:ip_address");
    }
    Ok(())
}

/// Whoever owns the network sees the ports of others on it and may remove them; what they are is their owners' to say.
pub fn may_update(ctx: &Ctx, port: &Port) -> Result<()> {
    if ctx.owns(&port.standard.project_id) || ctx.auth.has_role("service") {
        return Ok(());
    }
    Err(fault::policy("update_port"))
}

/// `mac`: for a port that is not given one.
pub fn create(ctx: &Ctx, input: &Input, network: &Network, mac: String) -> Result<Port> {
    let owner = input.owner(ctx)?;
    let now = base::time::now();
    let mut port = Port {
        standard: Standard::of(&owner, input),
        network_id: network.standard.id.clone(),
        mac: input.text("mac_address").map_or(mac, Into::into),
        admin_state_up: input.flag("admin_state_up").unwrap_or(true),
        status: "DOWN".into(),
        device_id: input.text("device_id").unwrap_or("").into(),
        device_owner: input.text("device_owner").unwrap_or("").into(),
        port_security: input.flag("port_security_enabled").unwrap_or(network.port_security),
        pairs: Vec::new(),
        binding_host: input.text("binding:host_id").unwrap_or("").into(),
        binding_profile: Value::Object(Map::new()),
        vnic_type: input.text("binding:vnic_type").unwrap_or("normal").into(),
        hostname: String::new(),
        created_by_nova: false,
        attached_at: now,
        qos_policy_id: input.text("qos_policy_id").unwrap_or("").into(),
        dns_name: input.text("dns_name").unwrap_or("").into(),
        dns_domain: input.text("dns_domain").unwrap_or("").into(),
        dhcp_options: dhcp_options(input, &[])?.unwrap_or_default(),
        propagate_uplink_status: input.flag("propagate_uplink_status").unwrap_or(true),
        balancer_id: String::new(),
    };
    if let Some(profile) = input.value("binding:profile").filter(|p| p.is_object()) {
        port.binding_profile = profile.clone();
    }
    if port.is_trusted() && !input.has("port_security_enabled") {
        port.port_security = false;
    }
    port.pairs = pairs(input, &port)?.unwrap_or_default();
    Ok(port)
}

/// The options after a request; None: not in the body. One without a value is taken away.
fn dhcp_options(input: &Input, before: &[DhcpOption]) -> Result<Option<Vec<DhcpOption>>> {
    let Some(items) = input.value("extra_dhcp_opts").and_then(Value::as_array) else { return Ok(None) };
    let mut options = before.to_vec();
    for item in items {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let option = DhcpOption {
            opt_name: text("opt_name").unwrap_or_default().into(),
            opt_value: text("opt_value").unwrap_or_default().into(),
            ip_version: item.get("ip_version").and_then(Value::as_i64).unwrap_or(4),
        };
        options.retain(|o| (&o.opt_name, o.ip_version) != (&option.opt_name, option.ip_version));
        if text("opt_value").is_some() {
            options.push(option);
        }
    }
    Ok(Some(options))
}

/// None: not in the body.
fn pairs(input: &Input, port: &Port) -> Result<Option<Vec<AddressPair>>> {
    let Some(items) = input.value("allowed_address_pairs").and_then(Value::as_array) else { return Ok(None) };
    if items.len() > MAX_ADDRESS_PAIRS {
        return Err(fault::invalid(
            "AllowedAddressPairExhausted",
            format!("The number of allowed address pair exceeds the maximum {MAX_ADDRESS_PAIRS}."),
        ));
    }
    let mut pairs: Vec<AddressPair> = Vec::new();
    for item in items {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let Some(address) = text("ip_address") else {
            return Err(fault::invalid(
                "AllowedAddressPairsMissingIP",
                "AllowedAddressPair must contain ip_address",
            ));
        };
        let pair = AddressPair {
            mac_address: text("mac_address").unwrap_or(&port.mac).into(),
            ip_address: address.into(),
        };
        if pairs.contains(&pair) {
            return Err(fault::invalid(
                "DuplicateAddressPairInRequest",
                format!(
                    "Request contains duplicate address pair: mac_address {} ip_address {}.",
                    pair.mac_address, pair.ip_address
                ),
            ));
        }
        pairs.push(pair);
    }
    Ok(Some(pairs))
}

/// Another address of its card, which no machine has yet.
pub fn set_mac(port: &mut Port, mac: &str) -> Result<()> {
    if *mac == port.mac {
        return Ok(());
    }
    if !port.binding_host.is_empty() {
        return Err(fault::conflict(
            "PortBound",
            format!(
                "Unable to complete operation on port {}, port is already bound, port type: {}, old_mac {}, \
                 new_mac {mac}.",
                port.standard.id,
                super::view::vif_type(port),
                port.mac
            ),
        ));
    }
    port.mac = mac.into();
    Ok(())
}

pub fn apply(port: &mut Port, input: &Input, groups_stay: bool) -> Result<()> {
    if let Some(flag) = input.flag("admin_state_up") {
        port.admin_state_up = flag;
    }
    // null clears them, as "" does.
    if input.has("device_id") {
        let device = input.text("device_id").unwrap_or("");
        if device != port.device_id {
            port.attached_at = base::time::now();
        }
        port.device_id = device.into();
    }
    if input.has("device_owner") {
        port.device_owner = input.text("device_owner").unwrap_or("").into();
    }
    if input.has("binding:host_id") {
        port.binding_host = input.text("binding:host_id").unwrap_or("").into();
    }
    if input.has("binding:profile") {
        let profile = input.value("binding:profile").filter(|p| p.is_object()).cloned();
        port.binding_profile = profile.unwrap_or_else(|| Value::Object(Map::new()));
    }
    if let Some(kind) = input.text("binding:vnic_type") {
        port.vnic_type = kind.into();
    }
    if let Some(pairs) = pairs(input, port)? {
        port.pairs = pairs;
    }
    if let Some(flag) = input.flag("port_security_enabled") {
        if !flag && groups_stay {
            return Err(fault::conflict(
                "PortSecurityPortHasSecurityGroup",
                "Port has security group associated. Cannot disable port security or IP address until security \
                 group is removed."
                    .into(),
            ));
        }
        port.port_security = flag;
    }
    if input.has("qos_policy_id") {
        port.qos_policy_id = input.text("qos_policy_id").unwrap_or("").into();
    }
    if let Some(name) = input.text("dns_name") {
        port.dns_name = name.into();
    }
    if let Some(domain) = input.text("dns_domain") {
        port.dns_domain = domain.into();
    }
    if let Some(options) = dhcp_options(input, &port.dhcp_options)? {
        port.dhcp_options = options;
    }
    if let Some(flag) = input.flag("propagate_uplink_status") {
        port.propagate_uplink_status = flag;
    }
    port.standard.apply(input);
    Ok(())
}

/// Groups and address pairs mean nothing without port security.
pub fn check_security(port: &Port, groups: &[String]) -> Result<()> {
    if port.port_security {
        return Ok(());
    }
    if !groups.is_empty() {
        return Err(fault::invalid(
            "PortSecurityAndIPRequiredForSecurityGroups",
            "Port security must be enabled and port must have an IP address in order to use security groups.",
        ));
    }
    if !port.pairs.is_empty() {
        return Err(fault::conflict(
            "AddressPairAndPortSecurityRequired",
            "Port Security must be enabled in order to have allowed address pairs on a port.".into(),
        ));
    }
    Ok(())
}

/// A router's or floating IP's port stays one.
pub fn check_owner_kept(before: &Port, after: &Port) -> Result<()> {
    let owned = before.is_router_port() || before.device_owner == super::FLOATING_IP;
    if owned && (before.device_owner != after.device_owner || before.device_id != after.device_id) {
        return Err(fault::invalid_input(format!(
            "The device_owner and device_id of port {} belong to {} and cannot be changed",
            before.standard.id, before.device_owner
        )));
    }
    Ok(())
}

/// Ports of routers and floating IPs go with those, not by themselves.
pub fn check_deletable(port: &Port) -> Result<()> {
    if port.is_router_port() || port.device_owner == super::FLOATING_IP {
        return Err(fault::conflict(
            "ServicePortInUse",
            format!(
                "Port {} cannot be deleted directly via the port API: has device owner {}.",
                port.standard.id, port.device_owner
            ),
        ));
    }
    Ok(())
}
