//! Neutron's exceptions, by name and in its words (neutron-lib's `exceptions`, neutron's `extensions`).

use base::{Error, Kind};

pub fn not_found(code: &'static str, message: String) -> Error {
    Error::not_found(message).code(code)
}

pub fn conflict(code: &'static str, message: String) -> Error {
    Error::conflict(message).code(code)
}

/// 400 of type InvalidInput or of one of its many children.
pub fn invalid(code: &'static str, message: impl std::fmt::Display) -> Error {
    Error::bad_request(message.to_string()).code(code)
}

pub fn invalid_input(message: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid input for operation: {message}.")).code("InvalidInput")
}

/// `Bad router request: ..`
pub fn bad(resource: &str, message: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Bad {resource} request: {message}.")).code("BadRequest")
}

/// A 400 that WebOb makes and not an exception of Neutron's own.
pub fn http_bad_request(message: impl Into<String>) -> Error {
    Error::bad_request(message)
}

pub fn policy(rule: &str) -> Error {
    Error::forbidden(format!("rule:{rule} is disallowed by policy")).code("PolicyNotAuthorized")
}

pub fn network_not_found(id: &str) -> Error {
    not_found("NetworkNotFound", format!("Network {id} could not be found."))
}

pub fn subnet_not_found(id: &str) -> Error {
    not_found("SubnetNotFound", format!("Subnet {id} could not be found."))
}

pub fn port_not_found(id: &str) -> Error {
    not_found("PortNotFound", format!("Port {id} could not be found."))
}

pub fn router_not_found(id: &str) -> Error {
    not_found("RouterNotFound", format!("Router {id} could not be found"))
}

pub fn floating_ip_not_found(id: &str) -> Error {
    not_found("FloatingIPNotFound", format!("Floating IP {id} could not be found"))
}

pub fn security_group_not_found(id: &str) -> Error {
    not_found("SecurityGroupNotFound", format!("Security group {id} does not exist"))
}

pub fn security_group_rule_not_found(id: &str) -> Error {
    not_found("SecurityGroupRuleNotFound", format!("Security group rule {id} does not exist"))
}

pub fn agent_not_found(id: &str) -> Error {
    not_found("AgentNotFound", format!("Agent {id} could not be found."))
}

pub fn extension_not_found(alias: &str) -> Error {
    not_found("HTTPNotFound", format!("Extension with alias {alias} does not exist"))
}

pub fn tag_not_found(tag: &str) -> Error {
    not_found("TagNotFound", format!("Tag {tag} could not be found."))
}

pub fn over_quota(resource: &str) -> Error {
    conflict("OverQuota", format!("Quota exceeded for resources: ['{resource}']."))
}

pub fn ip_in_use(network_id: &str, address: impl std::fmt::Display) -> Error {
    conflict(
        "IpAddressInUse",
        format!("Unable to complete operation for network {network_id}. The IP address {address} is in use."),
    )
}

pub fn no_more_addresses(network_id: &str) -> Error {
    conflict("IpAddressGenerationFailure", format!("No more IP addresses available on network {network_id}."))
}

pub fn mac_in_use(network_id: &str, mac: &str) -> Error {
    conflict(
        "MacAddressInUse",
        format!("Unable to complete operation for network {network_id}. The mac address {mac} is in use."),
    )
}

pub fn port_in_use(port_id: &str, network_id: &str, device_id: &str) -> Error {
    conflict(
        "PortInUse",
        format!(
            "Unable to complete operation on port {port_id} for network {network_id}. \
             Port already has an attached device {device_id}."
        ),
    )
}

pub fn device_of_another(device_id: &str) -> Error {
    conflict(
        "DeviceIDNotOwnedByTenant",
        format!(
            "The following device_id {device_id} is not owned by your tenant or matches another tenants router."
        ),
    )
}

pub fn subnet_in_use(id: &str) -> Error {
    conflict(
        "SubnetInUse",
        format!(
            "Unable to complete operation on subnet {id}: \
             One or more ports have an IP allocation from this subnet."
        ),
    )
}

/// Somebody changed the row between our look and our write: nothing happened, the same request may be sent again.
pub fn changed_meanwhile(what: &str) -> Error {
    Error::new(Kind::Unavailable, format!("The {what} was changed by another request; try again."))
}
