//! What a flavor and a profile may say, in Neutron's words.

use base::{Error, Kind, Result};

use super::profiles::Profile;
use super::{DRIVER, Flavor};
use crate::fault;
use crate::request::Input;

/// Services that there are, as Neutron names them.
const SERVICES: &[&str] = &["CORE", super::ROUTERS, "QOS", "FLAVORS", "PORTFORWARDING", "FLOATINGIPPOOL"];

pub fn not_found(id: &str) -> Error {
    fault::not_found("FlavorNotFound", format!("Flavor {id} could not be found."))
}

pub fn profile_not_found(id: &str) -> Error {
    fault::not_found("ServiceProfileNotFound", format!("Service Profile {id} could not be found."))
}

pub fn in_use(id: &str) -> Error {
    fault::conflict("FlavorInUse", format!("Flavor {id} is used by some service instance."))
}

pub fn profile_in_use(id: &str) -> Error {
    fault::conflict("ServiceProfileInUse", format!("Service Profile {id} is used by some service instance."))
}

pub fn bound(profile: &str, flavor: &str) -> Error {
    let message = format!("Service Profile {profile} is already associated with flavor {flavor}.");
    fault::conflict("FlavorServiceProfileBindingExists", message)
}

pub fn not_bound(profile: &str, flavor: &str) -> Error {
    let message = format!("Service Profile {profile} is not associated with flavor {flavor}.");
    fault::not_found("FlavorServiceProfileBindingNotFound", message)
}

fn text(input: &Input, name: &str) -> String {
    input.text(name).unwrap_or("").into()
}

pub fn flavor(input: &Input) -> Result<Flavor> {
    let service_type = text(input, "service_type");
    if !SERVICES.contains(&service_type.as_str()) {
        let message = format!("Invalid service type: {service_type}.");
        return Err(fault::invalid("InvalidServiceType", message));
    }
    Ok(Flavor {
        id: base::id::uuid(),
        name: text(input, "name"),
        description: text(input, "description"),
        service_type,
        enabled: input.flag("enabled").unwrap_or(true),
        created_at: base::time::now(),
    })
}

pub fn apply(flavor: &mut Flavor, input: &Input) {
    if input.has("name") {
        flavor.name = text(input, "name");
    }
    if input.has("description") {
        flavor.description = text(input, "description");
    }
    flavor.enabled = input.flag("enabled").unwrap_or(flavor.enabled);
}

pub fn profile(input: &Input) -> Result<Profile> {
    let profile = Profile {
        id: base::id::uuid(),
        description: text(input, "description"),
        driver: text(input, "driver"),
        metainfo: text(input, "metainfo"),
        enabled: input.flag("enabled").unwrap_or(true),
        created_at: base::time::now(),
    };
    if profile.driver.is_empty() && profile.metainfo.is_empty() {
        let message = "Service Profile needs either a driver or metainfo.";
        return Err(fault::invalid("ServiceProfileEmpty", message));
    }
    check_driver(&profile.driver)?;
    Ok(profile)
}

pub fn apply_profile(profile: &mut Profile, input: &Input) -> Result<()> {
    for (name, slot) in [
        ("description", &mut profile.description),
        ("driver", &mut profile.driver),
        ("metainfo", &mut profile.metainfo),
    ] {
        if input.has(name) {
            *slot = text(input, name);
        }
    }
    profile.enabled = input.flag("enabled").unwrap_or(profile.enabled);
    check_driver(&profile.driver)
}

fn check_driver(driver: &str) -> Result<()> {
    if driver.is_empty() || driver == DRIVER {
        return Ok(());
    }
    let message = format!("Service Profile driver {driver} could not be found.");
    Err(fault::not_found("ServiceProfileDriverNotFound", message))
}

/// Whether something new may be made by it. `profile`: its first one.
pub fn check_usable(flavor: &Flavor, profile: Option<&Profile>) -> Result<()> {
    let disabled = |code, message: &str| Err(Error::new(Kind::Unavailable, message).code(code));
    match profile {
        _ if !flavor.enabled => disabled("FlavorDisabled", "Flavor is not enabled."),
        None => Err(not_bound("", &flavor.id)),
        Some(profile) if !profile.enabled => {
            disabled("ServiceProfileDisabled", "Service Profile is not enabled.")
        }
        Some(_) => Ok(()),
    }
}
