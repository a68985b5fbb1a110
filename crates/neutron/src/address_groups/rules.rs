//! What an address group may hold.

use base::Result;
use ipnet::IpNet;
use serde_json::Value;

use super::AddressGroup;
use crate::fault;

/// CIDRs in their canonical spelling, each once.
pub fn addresses(value: &Value) -> Result<Vec<String>> {
    let wrong = |value: &Value| {
        let shown = value.as_str().map_or_else(|| value.to_string(), Into::into);
        fault::http_bad_request(format!(
            "Invalid input for addresses. Reason: '{shown}' is not a valid IP subnet."
        ))
    };
    let mut found: Vec<String> = Vec::new();
    for item in value.as_array().ok_or_else(|| wrong(value))? {
        let text = item.as_str().ok_or_else(|| wrong(item))?;
        let net: IpNet = text.parse().map_err(|_| wrong(item))?;
        let net = net.trunc().to_string();
        if !found.contains(&net) {
            found.push(net);
        }
    }
    Ok(found)
}

/// All of them new.
pub fn add(group: &mut AddressGroup, more: &Value) -> Result<()> {
    let more = addresses(more)?;
    let there: Vec<String> =
        more.iter().filter(|a| group.addresses.contains(a)).map(|a| format!("'{a}'")).collect();
    if !there.is_empty() {
        return Err(fault::invalid(
            "AddressesAlreadyExist",
            format!(
                "Addresses [{}] already exist in the address group {}.",
                there.join(", "),
                group.standard.id
            ),
        ));
    }
    group.addresses.extend(more);
    Ok(())
}

/// All of them there; an address without a prefix, which cannot be in a group, is not.
pub fn remove(group: &mut AddressGroup, less: &Value) -> Result<()> {
    let (bare, nets): (Vec<Value>, Vec<Value>) = less
        .as_array()
        .into_iter()
        .flatten()
        .cloned()
        .partition(|item| item.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()));
    let mut less = addresses(&Value::Array(nets))?;
    less.extend(bare.iter().filter_map(Value::as_str).map(Into::into));
    let gone: Vec<String> =
        less.iter().filter(|a| !group.addresses.contains(a)).map(|a| format!("'{a}'")).collect();
    if !gone.is_empty() {
        return Err(base::Error::not_found(format!(
            "Addresses [{}] not found in the address group {}.",
            gone.join(", "),
            group.standard.id
        ))
        .code("AddressesNotFound"));
    }
    group.addresses.retain(|a| !less.contains(a));
    Ok(())
}
