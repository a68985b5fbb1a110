//! Values of bodies: each check returns the value as it is kept, or the reason as Neutron words it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{Kind, dns};

pub(super) type Checked = Result<Value, String>;

pub fn value(kind: Kind, value: &Value) -> Checked {
    match kind {
        Kind::Text(max) => text(value, max),
        Kind::TextOrNull(max) => null_or(value, |v| text(v, max)),
        Kind::Flag => flag(value),
        Kind::Int(min, max) => int(value, min, max),
        Kind::IntOrNull(min, max) => null_or(value, |v| int(v, min, max)),
        Kind::IpVersion => match int(value, 4, 6) {
            Ok(version) if version != 5 => Ok(version),
            _ => Err(format!("'{}' is not in [4, 6]", shown(value))),
        },
        Kind::Uuid => uuid(value),
        Kind::UuidOrNull => {
            if value == "" {
                Ok(Value::Null)
            } else {
                null_or(value, uuid)
            }
        }
        Kind::UuidList => uuid_list(value),
        Kind::Address => address(value),
        Kind::AddressOrNull => null_or(value, address),
        Kind::Cidr => cidr(value),
        Kind::CidrOrNull => null_or(value, cidr),
        Kind::CidrList => list(value)?.iter().map(cidr).collect::<Result<Vec<_>, _>>().map(Value::Array),
        Kind::Mac => mac(value),
        Kind::MacOrNull => null_or(value, mac),
        Kind::DnsName => dns::name(value),
        Kind::DnsDomain => dns::domain(value),
        Kind::DhcpOptions => dhcp_options(value),
        Kind::OneOf(allowed) => one_of(value, allowed),
        Kind::OneOfOrNull(allowed) => null_or(value, |v| one_of(v, allowed)),
        Kind::Pools => pools(value),
        Kind::Nameservers => nameservers(value),
        Kind::Routes => routes(value),
        Kind::FixedIps => fixed_ips(value),
        Kind::AddressPairs => address_pairs(value),
        Kind::TextList => text_list(value),
        Kind::Object => object(value),
        Kind::ObjectOrNull => null_or(value, object),
        Kind::Any => Ok(value.clone()),
    }
}

/// A value inside a message: strings without JSON's quotes.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

fn null_or(value: &Value, check: impl Fn(&Value) -> Checked) -> Checked {
    if value.is_null() { Ok(Value::Null) } else { check(value) }
}

fn text(value: &Value, max: usize) -> Checked {
    let Some(text) = value.as_str() else { return Err(format!("'{}' is not a valid string", shown(value))) };
    if text.chars().count() > max {
        return Err(format!("'{text}' exceeds maximum length of {max}"));
    }
    Ok(json!(text))
}

/// oslo's spellings of a boolean, as Neutron's convert_to_boolean takes them.
fn flag(value: &Value) -> Checked {
    let flag = match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(n) => {
            n.as_i64().and_then(|n| [(0, false), (1, true)].into_iter().find(|p| p.0 == n)).map(|p| p.1)
        }
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    flag.map(Value::Bool).ok_or_else(|| format!("'{}' cannot be converted to boolean", shown(value)))
}

fn int(value: &Value, min: i64, max: i64) -> Checked {
    let number = match value {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let Some(number) = number else { return Err(format!("'{}' is not an integer", shown(value))) };
    if number < min {
        Err(format!("'{number}' is too small - must be at least '{min}'"))
    } else if number > max {
        Err(format!("'{number}' is too large - must be no larger than '{max}'"))
    } else {
        Ok(json!(number))
    }
}

/// The spelling with dashes only, as ids are printed.
pub fn uuid_like(text: &str) -> bool {
    text.len() == 36 && base::id::is_uuid(text)
}

fn uuid(value: &Value) -> Checked {
    match value.as_str() {
        Some(text) if uuid_like(text) => Ok(json!(text.to_ascii_lowercase())),
        _ => Err(format!("'{}' is not a valid UUID", shown(value))),
    }
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("'{}' is not a list", shown(value)))
}

fn uuid_list(value: &Value) -> Checked {
    if value.is_null() {
        return Ok(json!([]));
    }
    let mut seen: Vec<Value> = Vec::new();
    for item in list(value)? {
        let item = uuid(item)?;
        if seen.contains(&item) {
            return Err(format!("Duplicate items in the list: '{}'", shown(&item)));
        }
        seen.push(item);
    }
    Ok(Value::Array(seen))
}

fn address(value: &Value) -> Checked {
    match value.as_str().and_then(|t| t.parse::<IpAddr>().ok()) {
        Some(address) => Ok(json!(address)),
        None => Err(format!("'{}' is not a valid IP address", shown(value))),
    }
}

fn cidr(value: &Value) -> Checked {
    let parsed = value.as_str().filter(|t| t.contains('/')).and_then(|t| t.parse::<IpNet>().ok());
    let Some(net) = parsed else { return Err(format!("'{}' is not a valid IP subnet", shown(value))) };
    // What is behind the prefix is cut off, as Neutron does it.
    Ok(json!(net.trunc().to_string()))
}

/// Here, what is behind the prefix is a mistake.
fn route_cidr(text: &str) -> Checked {
    let net = cidr(&json!(text))?;
    match net.as_str().is_some_and(|net| text.parse::<IpNet>().is_ok_and(|given| given.to_string() == net)) {
        true => Ok(net),
        false => Err(format!("'{text}' isn't a recognized IP subnet cidr, '{}' is recommended", shown(&net))),
    }
}

fn mac(value: &Value) -> Checked {
    let wrong = || format!("'{}' is not a valid MAC address", shown(value));
    let text = value.as_str().ok_or_else(wrong)?;
    let bytes: Option<Vec<u8>> = text
        .split([':', '-'])
        .map(|p| u8::from_str_radix(p, 16).ok().filter(|_| p.len() == 2 && !p.starts_with('+')))
        .collect();
    match bytes.as_deref() {
        // A group address can't be a station's own.
        Some([first, rest @ ..]) if rest.len() == 5 && first & 1 == 0 => {
            let bytes: Vec<String> = bytes.iter().flatten().map(|b| format!("{b:02x}")).collect();
            if bytes.iter().all(|b| b == "00") { Err(wrong()) } else { Ok(json!(bytes.join(":"))) }
        }
        _ => Err(wrong()),
    }
}

fn one_of(value: &Value, allowed: &[&str]) -> Checked {
    match value.as_str().filter(|v| allowed.contains(v)) {
        Some(text) => Ok(json!(text)),
        None => {
            let quoted: Vec<String> = allowed.iter().map(|a| format!("'{a}'")).collect();
            Err(format!("'{}' is not in [{}]", shown(value), quoted.join(", ")))
        }
    }
}

/// An object with exactly these keys, all of them strings.
fn strings<'a, const N: usize>(item: &'a Value, keys: [&str; N]) -> Option<[&'a str; N]> {
    let object = item.as_object().filter(|o| o.len() == N)?;
    let mut found = [""; N];
    for (slot, key) in found.iter_mut().zip(keys) {
        *slot = object.get(key)?.as_str()?;
    }
    Some(found)
}

fn pools(value: &Value) -> Checked {
    let items =
        value.as_array().ok_or_else(|| format!("Invalid data format for IP pool: '{}'", shown(value)))?;
    let mut pools = Vec::new();
    for item in items {
        let [start, end] = strings(item, ["start", "end"])
            .ok_or_else(|| format!("Invalid data format for IP pool: '{}'", shown(item)))?;
        pools.push(json!({"start": address(&json!(start))?, "end": address(&json!(end))?}));
    }
    Ok(Value::Array(pools))
}

fn nameservers(value: &Value) -> Checked {
    if value.is_null() {
        return Ok(json!([]));
    }
    let items =
        value.as_array().ok_or_else(|| format!("Invalid data format for nameserver: '{}'", shown(value)))?;
    let mut servers: Vec<Value> = Vec::new();
    for item in items {
        let server =
            address(item).map_err(|e| format!("'{}' is not a valid nameserver. {e}", shown(item)))?;
        if servers.contains(&server) {
            return Err(format!("Duplicate nameserver '{}'", shown(item)));
        }
        servers.push(server);
    }
    Ok(Value::Array(servers))
}

fn routes(value: &Value) -> Checked {
    if value.is_null() {
        return Ok(json!([]));
    }
    let items =
        value.as_array().ok_or_else(|| format!("Invalid data format for hostroute: '{}'", shown(value)))?;
    let mut routes: Vec<Value> = Vec::new();
    for item in items {
        let [destination, nexthop] = strings(item, ["destination", "nexthop"])
            .ok_or_else(|| format!("Invalid data format for hostroute: '{}'", shown(item)))?;
        let route = json!({"destination": route_cidr(destination)?, "nexthop": address(&json!(nexthop))?});
        if routes.contains(&route) {
            return Err(format!("Duplicate hostroute '{}'", shown(item)));
        }
        routes.push(route);
    }
    Ok(Value::Array(routes))
}

fn fixed_ips(value: &Value) -> Checked {
    let wrong = |v: &Value| format!("Invalid data format for fixed IP: '{}'", shown(v));
    let mut ips: Vec<Value> = Vec::new();
    for item in value.as_array().ok_or_else(|| wrong(value))? {
        let object = item.as_object().ok_or_else(|| wrong(item))?;
        let mut kept = Map::new();
        for (key, v) in object {
            match key.as_str() {
                "ip_address" if v.is_null() => {}
                "subnet_id" if v.is_null() => {}
                "ip_address" => {
                    let ip = address(v)?;
                    if ips.iter().any(|other| other["ip_address"] == ip) {
                        return Err(format!("Duplicate IP address '{}'", shown(&ip)));
                    }
                    kept.insert(key.clone(), ip);
                }
                "subnet_id" => {
                    kept.insert(key.clone(), uuid(v)?);
                }
                _ => return Err(wrong(item)),
            }
        }
        ips.push(Value::Object(kept));
    }
    Ok(Value::Array(ips))
}

/// `ip_address` may be a network; an address stays an address.
fn address_pairs(value: &Value) -> Checked {
    if value.is_null() {
        return Ok(json!([]));
    }
    let mut pairs = Vec::new();
    for item in list(value)? {
        let object = item.as_object().ok_or_else(|| format!("'{}' is not a dictionary", shown(item)))?;
        let mut kept = Map::new();
        for (key, v) in object {
            let v = match key.as_str() {
                "mac_address" if v.is_null() => continue,
                "mac_address" => mac(v)?,
                "ip_address" => match v.as_str() {
                    Some(text) if text.contains('/') => match text.parse::<IpNet>() {
                        Ok(net) => json!(net.to_string()),
                        Err(_) => return Err(format!("'{text}' is not a valid IP subnet")),
                    },
                    _ => address(v)?,
                },
                other => return Err(format!("Unrecognized attribute(s) '{other}'")),
            };
            kept.insert(key.clone(), v);
        }
        pairs.push(Value::Object(kept));
    }
    Ok(Value::Array(pairs))
}

/// An option without a value is one to be removed.
fn dhcp_options(value: &Value) -> Checked {
    if value.is_null() {
        return Ok(json!([]));
    }
    let mut options = Vec::new();
    for item in list(value)? {
        let object = item.as_object().ok_or_else(|| format!("'{}' is not a dictionary", shown(item)))?;
        let mut kept = Map::new();
        for (key, v) in object {
            let v = match key.as_str() {
                "opt_name" => {
                    let name = text(v, 64)?;
                    if name.as_str().is_some_and(|n| n.trim().is_empty()) {
                        return Err("'opt_name' Blank strings are not permitted".into());
                    }
                    name
                }
                "opt_value" => null_or(v, |v| text(v, 255))?,
                "ip_version" => match int(v, 4, 6) {
                    Ok(version) if version != 5 => version,
                    _ => return Err(format!("'{}' is not in [4, 6]", shown(v))),
                },
                other => return Err(format!("Unexpected keys supplied: {other}")),
            };
            kept.insert(key.clone(), v);
        }
        if !kept.contains_key("opt_name") || !kept.contains_key("opt_value") {
            return Err(format!("Expected keys not found: '{}'", shown(item)));
        }
        options.push(Value::Object(kept));
    }
    Ok(Value::Array(options))
}

fn text_list(value: &Value) -> Checked {
    let mut seen: Vec<Value> = Vec::new();
    for item in list(value)? {
        let item = text(item, 255)?;
        if seen.contains(&item) {
            return Err(format!("Duplicate items in the list: '{}'", shown(&item)));
        }
        seen.push(item);
    }
    Ok(Value::Array(seen))
}

fn object(value: &Value) -> Checked {
    if value.is_object() { Ok(value.clone()) } else { Err(format!("'{}' is not a dictionary", shown(value))) }
}
