//! What may be offered, and what an offer makes of a load balancer.

use base::{Error, Result};
use serde_json::Value;

use super::{Offer, Offered};
use crate::request::{Fields, Look};
use crate::{fault, providers};

/// Data must be a JSON object of what the provider serves.
pub fn check_profile(offer: Offer, fields: &Fields) -> Result<()> {
    let (name, data) = (offer.data(), fields.text(offer.data()));
    let Ok(Value::Object(parsed)) = serde_json::from_str(data) else {
        return Err(fault::invalid_option(data, name));
    };
    let known = match offer {
        Offer::FlavorProfile => providers::FLAVOR_CAPABILITIES,
        _ => providers::ZONE_CAPABILITIES,
    };
    providers::check_profile(fields.text("provider_name"), &parsed, known)
}

/// The provider of a new load balancer: the flavor's, the asked one, the usual one.
pub fn provider(flavor: Option<(Offered, String)>, id: &str, asked: &str) -> Result<String> {
    if id.is_empty() {
        return Ok(if asked.is_empty() { providers::DEFAULT } else { asked }.to_owned());
    }
    let Some((flavor, provider)) = flavor else { return Err(fault::invalid("Invalid flavor_id.")) };
    if !flavor.fields.flag("enabled") {
        return Err(fault::disabled("flavor", id));
    }
    if !asked.is_empty() && asked != provider {
        return Err(Error::bad_request(format!("Flavor '{id}' is not compatible with provider '{asked}'")));
    }
    Ok(provider)
}

pub fn check_zone(zone: Option<&Offered>, name: &str) -> Result<()> {
    match zone {
        _ if name.is_empty() => Ok(()),
        None => Err(fault::invalid("Invalid availability zone.")),
        Some(zone) if !zone.fields.flag("enabled") => Err(fault::disabled("availability_zone", name)),
        Some(_) => Ok(()),
    }
}

/// 400 for a VIP outside of the networks that a zone's profile names, if it names any.
pub fn check_network(profile: &Offered, network_id: &str) -> Result<()> {
    let data: Fields =
        serde_json::from_str(profile.fields.text(Offer::ZoneProfile.data())).unwrap_or_default();
    let allowed = data.list(providers::VIP_NETWORKS);
    let is_network = |one: &Value| one.as_str().is_some_and(|id| id.eq_ignore_ascii_case(network_id));
    match allowed.is_empty() || allowed.iter().any(is_network) {
        true => Ok(()),
        false => Err(fault::invalid(
            "Supplied VIP network_id is not allowed by the configuration of this deployment.",
        )),
    }
}
