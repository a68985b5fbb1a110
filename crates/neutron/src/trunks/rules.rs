//! Bodies of trunks, and which ports can be in one.

use base::{Error, Result};
use serde_json::Value;

use super::Trunk;
use crate::fault::{self, conflict, invalid_input};
use crate::networks::Network;
use crate::request::uuid_like;

/// The segmentation of the subport's own network.
const INHERIT: &str = "inherit";

/// One entry of a body's `sub_ports`. Without segmentation where a subport is removed, or has its network's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub port_id: String,
    pub segmentation: Option<(String, i64)>,
}

pub fn subports(value: Option<&Value>, removing: bool) -> Result<Vec<Wanted>> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => {
            let wrong =
                || invalid_input(format!("Invalid data format for subports: '{value}' is not a list"));
            value.as_array().ok_or_else(wrong)?
        }
    };
    let mut found: Vec<Wanted> = Vec::new();
    for item in items {
        let wanted = subport(item, removing)?;
        if found.iter().any(|f| f.port_id == wanted.port_id) {
            return Err(invalid_input(format!("Port ID '{}' specified more than once", wanted.port_id)));
        }
        if wanted.segmentation.is_some() && found.iter().any(|f| f.segmentation == wanted.segmentation) {
            return Err(invalid_input(format!(
                "Segmentation ID of subport '{}' is not unique",
                wanted.port_id
            )));
        }
        found.push(wanted);
    }
    Ok(found)
}

fn subport(item: &Value, removing: bool) -> Result<Wanted> {
    let object = item
        .as_object()
        .ok_or_else(|| invalid_input(format!("Invalid data format for subport: '{item}'")))?;
    let known = ["port_id", "segmentation_type", "segmentation_id"];
    if let Some(key) = object.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(invalid_input(format!(
            "Invalid data format for subport details: unexpected key '{key}'"
        )));
    }
    let port_id =
        object.get("port_id").and_then(Value::as_str).filter(|id| uuid_like(id)).ok_or_else(|| {
            invalid_input(format!("A valid port UUID must be specified in subport details: '{item}'"))
        })?;
    let wanted = |segmentation| Wanted { port_id: port_id.to_ascii_lowercase(), segmentation };
    if removing || object.get("segmentation_type").and_then(Value::as_str) == Some(INHERIT) {
        return Ok(wanted(None));
    }
    let (Some(kind), Some(id)) = (object.get("segmentation_type"), object.get("segmentation_id")) else {
        return Err(invalid_input(format!(
            "Invalid subport details '{item}': missing segmentation information. Must specify both segmentation_id \
             and segmentation_type"
        )));
    };
    let kind = kind.as_str().map_or_else(|| kind.to_string(), Into::into);
    let shown = id.as_str().map_or_else(|| id.to_string(), Into::into);
    let id: i64 = shown.parse().map_err(|_| {
        invalid_input(format!("Invalid subport details: segmentation_id '{shown}' is not an integer"))
    })?;
    check_segmentation(&kind, id)?;
    Ok(wanted(Some((kind, id))))
}

fn check_segmentation(kind: &str, id: i64) -> Result<()> {
    if kind != "vlan" {
        return Err(invalid_input(format!("Unknown segmentation_type '{kind}'")));
    }
    if !(1..=4094).contains(&id) {
        return Err(invalid_input(format!("Segmentation ID '{id}' is not in range")));
    }
    Ok(())
}

/// Of a subport that is to have its network's.
pub fn inherited(network: &Network) -> Result<(String, i64)> {
    let id = network.segmentation_id.unwrap_or_default();
    check_segmentation(&network.network_type, id)?;
    Ok((network.network_type.clone(), id))
}

/// A trunk that is down by its owner's will stays as it is.
pub fn check_managed(trunk: &Trunk) -> Result<()> {
    if trunk.admin_state_up {
        return Ok(());
    }
    let id = &trunk.standard.id;
    Err(conflict("TrunkDisabled", format!("Trunk {id} is currently disabled.")))
}

pub fn in_another(port_id: &str) -> Error {
    conflict("TrunkPortInUse", format!("Port {port_id} is in use by another trunk."))
}

pub fn is_parent(port_id: &str) -> Error {
    conflict(
        "ParentPortInUse",
        format!("Port {port_id} is currently in use and is not eligible for use as a parent port."),
    )
}

pub fn subport_not_found(trunk_id: &str, port_id: &str) -> Error {
    fault::not_found("SubPortNotFound", format!("SubPort {port_id} on trunk {trunk_id} could not be found."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subports_are_checked() {
        let id = "5a6b3c1e-0000-4000-8000-000000000001";
        let of = |item: Value| subports(Some(&json!([item])), false);
        let good = json!({"port_id": id, "segmentation_type": "vlan", "segmentation_id": "7"});
        assert_eq!(of(good.clone()).unwrap()[0].segmentation, Some(("vlan".into(), 7)));
        for bad in [
            json!({"port_id": id}),
            json!({"port_id": "x", "segmentation_type": "vlan", "segmentation_id": 7}),
            json!({"port_id": id, "segmentation_type": "vxlan", "segmentation_id": 7}),
            json!({"port_id": id, "segmentation_type": "vlan", "segmentation_id": 4095}),
            json!({"port_id": id, "segmentation_type": "vlan", "segmentation_id": "a"}),
            json!({"port_id": id, "segmentation_type": "vlan", "segmentation_id": 7, "x": 1}),
            json!(7),
        ] {
            assert_eq!(of(bad.clone()).unwrap_err().code, "InvalidInput", "{bad}");
        }
        assert!(subports(Some(&json!([good, good])), false).is_err());
        assert!(subports(Some(&json!([{ "port_id": id }])), true).is_ok());
    }
}
