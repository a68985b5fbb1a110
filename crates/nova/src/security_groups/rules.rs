//! What a rule of the old API must be.

use base::{Error, Result};
use ipnet::IpNet;
use serde_json::{Map, Value, json};

fn integer(value: Option<&Value>) -> Option<Result<i64, ()>> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::Number(n)) => Some(n.as_i64().ok_or(())),
        Some(Value::String(text)) => Some(text.trim().parse().map_err(|_| ())),
        Some(_) => Some(Err(())),
    }
}

fn range(reason: &str, from: i64, to: i64) -> Error {
    Error::bad_request(format!("Invalid port range {from}:{to}. {reason}"))
}

/// Neutron's rule for a body of the old API. Without a source group, protocol and ports must be given; with one, they
/// default to all of them.
pub(super) fn neutron_rule(rule: &Map<String, Value>) -> Result<Value> {
    let group = rule.get("group_id").and_then(Value::as_str);
    let protocol = match rule.get("ip_protocol") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let upper = protocol.as_deref().unwrap_or_default().to_uppercase();
    let cidr = match group {
        Some(_) => None,
        None => Some(cidr(rule.get("cidr"))?),
    };
    let (mut from, mut to) = (integer(rule.get("from_port")), integer(rule.get("to_port")));
    if group.is_some() && from.is_none() && to.is_none() {
        let all = match &*upper {
            "ICMP" => Some((-1, -1)),
            "TCP" | "UDP" => Some((1, 65535)),
            _ => None,
        };
        if let Some((first, last)) = all {
            (from, to) = (Some(Ok(first)), Some(Ok(last)));
        }
    }
    let mut out = json!({
        "security_group_id": rule.get("parent_group_id"),
        "direction": "ingress",
        "ethertype": if cidr.is_some_and(|c| matches!(c, IpNet::V6(_))) { "IPv6" } else { "IPv4" },
    });
    if let Some(group) = group {
        out["remote_group_id"] = json!(group);
    }
    if let Some(cidr) = cidr {
        out["remote_ip_prefix"] = json!(cidr.to_string());
    }
    let (Some(protocol), Some(from), Some(to)) = (protocol, from, to) else {
        if cidr.is_some() {
            return Err(Error::bad_request("Not enough parameters to build a valid rule."));
        }
        return Ok(out);
    };
    let (Ok(from), Ok(to)) = (from, to) else {
        let what = if upper == "ICMP" {
            "Type and Code must be integers for ICMP protocol type"
        } else {
            "To and From ports must be integers"
        };
        return Err(Error::bad_request(format!("Invalid input received: {what}")));
    };
    match &*upper {
        "TCP" | "UDP" if from > to => {
            return Err(range("Former value cannot be greater than the later", from, to));
        }
        "TCP" | "UDP" if from < 1 || to > 65535 => {
            return Err(range(&format!("Valid {upper} ports should be between 1-65535"), from, to));
        }
        "TCP" | "UDP" => {}
        "ICMP" if !(-1..=255).contains(&from) || !(-1..=255).contains(&to) => {
            return Err(range("For ICMP, the type:code must be valid", from, to));
        }
        "ICMP" => {}
        _ => return Err(Error::bad_request(format!("Invalid IP protocol {protocol}."))),
    }
    out["protocol"] = json!(protocol.to_lowercase());
    if (from, to) != (-1, -1) {
        out["port_range_min"] = json!(from);
        out["port_range_max"] = json!(to);
    }
    Ok(out)
}

fn cidr(value: Option<&Value>) -> Result<IpNet> {
    let text = match value {
        None | Some(Value::Null) => "0.0.0.0/0",
        Some(Value::String(text)) if text.is_empty() => "0.0.0.0/0",
        Some(Value::String(text)) => text.trim(),
        Some(_) => "",
    };
    let whole = if text.contains('/') {
        text.parse().ok()
    } else {
        text.parse::<std::net::IpAddr>().ok().map(IpNet::from)
    };
    let net: IpNet = whole.ok_or_else(|| {
        let shown = value.map_or_else(String::new, |v| v.as_str().map_or_else(|| v.to_string(), Into::into));
        Error::bad_request(format!("Invalid CIDR {shown}."))
    })?;
    if net.prefix_len() == 0 && !net.addr().is_unspecified() {
        return Err(Error::bad_request(format!("Bad prefix for network in cidr {text}")));
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rule: Value) -> Result<Value> {
        let Value::Object(rule) = rule else { panic!("no object") };
        neutron_rule(&rule)
    }

    #[test]
    fn rules_become_neutrons() {
        let rule =
            of(json!({"parent_group_id": "p", "ip_protocol": "TCP", "from_port": "22", "to_port": 80}))
                .unwrap();
        assert_eq!(
            rule,
            json!({"security_group_id": "p", "direction": "ingress", "ethertype": "IPv4",
                   "remote_ip_prefix": "0.0.0.0/0", "protocol": "tcp", "port_range_min": 22, "port_range_max": 80})
        );
        let rule = of(json!({"parent_group_id": "p", "group_id": "g", "ip_protocol": "icmp"})).unwrap();
        assert_eq!((&rule["remote_group_id"], &rule["protocol"]), (&json!("g"), &json!("icmp")));
        assert!(rule.get("port_range_min").is_none());
        let rule =
            of(json!({"ip_protocol": "udp", "from_port": 1, "to_port": 2, "cidr": "2001:db8::/64"})).unwrap();
        assert_eq!(rule["ethertype"], "IPv6");
    }

    #[test]
    fn bad_rules_are_told_why() {
        let why = |rule: Value| of(rule).unwrap_err().message;
        assert_eq!(why(json!({})), "Not enough parameters to build a valid rule.");
        let rule = |protocol: &str, from: i64, to: i64| json!({"ip_protocol": protocol, "from_port": from, "to_port": to});
        assert!(why(rule("tcp", 80, 22)).contains("Former value"));
        assert!(why(rule("udp", 0, 22)).contains("1-65535"));
        assert!(why(rule("icmp", 300, 0)).contains("type:code"));
        assert_eq!(why(rule("gre", 1, 2)), "Invalid IP protocol gre.");
        assert!(
            why(json!({"ip_protocol": "tcp", "from_port": "x", "to_port": 1})).contains("must be integers")
        );
        assert_eq!(why(json!({"cidr": "1.2.3.4/0"})), "Bad prefix for network in cidr 1.2.3.4/0");
        assert_eq!(why(json!({"cidr": "bad"})), "Invalid CIDR bad.");
    }
}
