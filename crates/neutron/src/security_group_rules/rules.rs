//! What a rule may say, and when two say the same.

use base::{Ctx, Error, Result};
use ipnet::IpNet;
use serde_json::Value;

use super::{Rule, protocol};
use crate::fault::{self, invalid};
use crate::request::Input;

pub fn rule(project_id: &str, group_id: &str, direction: &str, ethertype: &str) -> Rule {
    let now = base::time::now();
    Rule {
        id: base::id::uuid(),
        project_id: project_id.into(),
        description: String::new(),
        created_at: now,
        updated_at: now,
        revision: 0,
        security_group_id: group_id.into(),
        direction: direction.into(),
        ethertype: ethertype.into(),
        protocol: String::new(),
        port_min: None,
        port_max: None,
        remote_group: None,
        remote_prefix: String::new(),
        remote_address_group: None,
    }
}

pub fn create(ctx: &Ctx, input: &Input) -> Result<Rule> {
    let mut rule = template(ctx, input)?;
    rule.security_group_id = input.text("security_group_id").unwrap_or_default().into();
    Ok(rule)
}

/// A rule of no group yet.
pub fn template(ctx: &Ctx, input: &Input) -> Result<Rule> {
    let ethertype = ethertype(input.value("ethertype"))?;
    let mut rule = rule(&input.owner(ctx)?, "", input.text("direction").unwrap_or_default(), ethertype);
    rule.description = input.text("description").unwrap_or("").into();
    rule.protocol = convert_protocol(input.value("protocol"))?;
    rule.port_min = port(input.value("port_range_min"))?;
    rule.port_max = port(input.value("port_range_max"))?;
    rule.remote_group = input.text("remote_group_id").map(Into::into);
    rule.remote_prefix = prefix(input.value("remote_ip_prefix"))?;
    rule.remote_address_group = input.text("remote_address_group_id").map(Into::into);
    if ethertype == "IPv6" && matches!(rule.protocol.as_str(), "icmp" | "icmpv6") {
        // The legacy names of ICMPv6 are kept under the real one.
        rule.protocol = "ipv6-icmp".into();
    }
    check(&rule)?;
    if (rule.port_min, rule.port_max) == (Some(1), Some(65_535)) {
        // All ports is no range.
        (rule.port_min, rule.port_max) = (None, None);
    }
    Ok(rule)
}

fn ethertype(value: Option<&Value>) -> Result<&'static str> {
    let Some(value) = value else { return Ok("IPv4") };
    ["IPv4", "IPv6"]
        .into_iter()
        .find(|known| value.as_str().is_some_and(|v| v.eq_ignore_ascii_case(known)))
        .ok_or_else(|| {
            invalid(
                "SecurityGroupRuleInvalidEtherType",
                format!(
                    "Security group rule for ethertype '{}' not supported. Allowed values are ['IPv4', 'IPv6'].",
                    value.as_str().unwrap_or("None")
                ),
            )
        })
}

/// '' for any protocol; else the name in lower case, or the number.
fn convert_protocol(value: Option<&Value>) -> Result<String> {
    let text = match value {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::String(text)) => text.to_ascii_lowercase(),
        Some(other) => other.to_string(),
    };
    if matches!(text.as_str(), "" | "-1" | "any" | "0") {
        return Ok(String::new());
    }
    if protocol::is_known(&text) || text.parse::<u8>().is_ok() {
        return Ok(text);
    }
    Err(invalid(
        "SecurityGroupRuleInvalidProtocol",
        format!(
            "Security group rule protocol {text} not supported. Only protocol values {} and integer \
             representations [0 to 255] are supported.",
            protocol::names()
        ),
    ))
}

fn port(value: Option<&Value>) -> Result<Option<i64>> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(n)) => n.as_i64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    match number.filter(|n| (0..=65_535).contains(n)) {
        Some(number) => Ok(Some(number)),
        None => Err(bad_port(&value.map(ToString::to_string).unwrap_or_default())),
    }
}

fn bad_port(port: &str) -> Error {
    invalid("SecurityGroupInvalidPortValue", format!("Invalid value for port {port}"))
}

/// A CIDR, or an address, which means itself alone.
fn prefix(value: Option<&Value>) -> Result<String> {
    let text = match value {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::String(text)) if text.is_empty() => return Ok(String::new()),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    net.map(|n| n.to_string())
        .ok_or_else(|| invalid("InvalidCIDR", format!("Invalid CIDR {text} given as IP prefix.")))
}

fn check(rule: &Rule) -> Result<()> {
    let remotes =
        [rule.remote_group.is_some(), !rule.remote_prefix.is_empty(), rule.remote_address_group.is_some()];
    if remotes.into_iter().filter(|given| *given).count() > 1 {
        return Err(invalid(
            "SecurityGroupMultipleRemoteEntites",
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
        ));
    }
    if let Ok(net) = rule.remote_prefix.parse::<IpNet>()
        && net.addr().is_ipv4() != (rule.ethertype == "IPv4")
    {
        return Err(invalid(
            "SecurityGroupRuleParameterConflict",
            format!("Conflicting value ethertype {} for CIDR {}", rule.ethertype, rule.remote_prefix),
        ));
    }
    if rule.ethertype == "IPv4" && protocol::is_ipv6_only(&rule.protocol) {
        return Err(invalid(
            "SecurityGroupEthertypeConflictWithProtocol",
            format!("Invalid ethertype IPv4 for protocol {}.", rule.protocol),
        ));
    }
    check_ports(rule)
}

fn check_ports(rule: &Rule) -> Result<()> {
    let (min, max) = (rule.port_min, rule.port_max);
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let Some(number) = protocol::number(&rule.protocol) else {
        return Err(invalid(
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.",
        ));
    };
    if protocol::WITH_PORTS.contains(&number) {
        if min == Some(0) || max == Some(0) {
            return Err(bad_port("0"));
        }
        if !matches!((min, max), (Some(a), Some(b)) if a <= b) {
            return Err(invalid(
                "SecurityGroupInvalidPortRange",
                "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            ));
        }
    } else if matches!(number, 1 | 58) {
        for (attribute, field, value) in [("port_range_min", "type", min), ("port_range_max", "code", max)] {
            if let Some(value) = value.filter(|v| *v > 255) {
                return Err(invalid(
                    "SecurityGroupInvalidIcmpValue",
                    format!("Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255."),
                ));
            }
        }
        if let (None, Some(code)) = (min, max) {
            return Err(invalid(
                "SecurityGroupMissingIcmpType",
                format!(
                    "ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing."
                ),
            ));
        }
    } else {
        return Err(invalid(
            "SecurityGroupInvalidProtocolForPort",
            format!(
                "Ports cannot be specified for protocol {number}. Ports are only supported for DCCP, SCTP, TCP, \
                 UDP, UDPLITE."
            ),
        ));
    }
    Ok(())
}

/// Equal for rules that let the same pass: spellings of a protocol and of "anywhere" don't count.
pub fn fingerprint(rule: &Rule) -> String {
    let number = |n: Option<i64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let ipv6 = rule.ethertype == "IPv6";
    let everywhere = matches!(rule.remote_prefix.as_str(), "" | "0.0.0.0/0" | "::/0");
    format!(
        "{} {} {} {} {} {} {}{}",
        rule.direction,
        rule.ethertype,
        number(protocol::effective(&rule.protocol, ipv6).map(i64::from)),
        number(rule.port_min),
        number(rule.port_max),
        rule.remote_group.as_deref().unwrap_or("-"),
        if everywhere { "-" } else { &rule.remote_prefix },
        // Rules from before there were address groups keep their fingerprint.
        rule.remote_address_group.as_ref().map_or_else(String::new, |g| format!(" {g}")),
    )
}

pub fn exists(rule_id: &str) -> Error {
    fault::conflict(
        "SecurityGroupRuleExists",
        format!("Security group rule already exists. Rule id is {rule_id}."),
    )
}
