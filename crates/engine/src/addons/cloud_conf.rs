//! `cloud.conf`, by which the controllers in the cluster log in to the cloud.
//!
//! Its syntax is git's: a value in quotes may hold anything, where a backslash escapes itself, a quote, a line feed
//! and a tab. Without quotes `;` and `#` begin a comment, and a person's password has both.

use openstack::Connection;

use crate::state::Credential;
use crate::{Cni, Error, Result, Wanted};

/// Where controllers find the certificate of the cloud's authority, from the same Secret.
pub(super) const CA_FILE: &str = "/etc/config/ca.crt";

/// What is known of the cluster's place in the cloud.
pub(crate) struct Place<'a> {
    pub subnet: &'a str,
    pub router: Option<&'a str>,
    pub load_balancers: bool,
}

pub(super) fn controllers(
    wanted: &Wanted,
    connection: &Connection,
    credential: &Credential,
    place: &Place<'_>,
) -> Result<String> {
    let mut file = File::default();
    file.section("Global");
    file.set("auth-url", &connection.auth_url)?;
    file.set("application-credential-id", &credential.id)?;
    file.set("application-credential-secret", &credential.secret)?;
    if let Some(region) = &connection.region {
        file.set("region", region)?;
    }
    if connection.ca.is_some() {
        file.set("ca-file", CA_FILE)?;
    }
    if connection.insecure {
        file.set("tls-insecure", "true")?;
    }
    file.section("LoadBalancer");
    if place.load_balancers {
        file.set("floating-network-id", &wanted.external_network)?;
        file.set("subnet-id", place.subnet)?;
        file.set("manage-security-groups", "true")?;
    } else {
        file.set("enabled", "false")?;
    }
    if wanted.cni == Cni::Router {
        file.section("Route");
        file.set("router-id", place.router.unwrap_or_default())?;
    }
    file.text += &storage(wanted)?;
    Ok(file.text)
}

/// The part that the storage driver on each node reads: there is no credential in it.
pub(super) fn storage(wanted: &Wanted) -> Result<String> {
    let mut file = File::default();
    file.section("BlockStorage");
    file.set("ignore-volume-az", if wanted.ignore_volume_zones { "true" } else { "false" })?;
    Ok(file.text)
}

#[derive(Default)]
struct File {
    text: String,
}

impl File {
    fn section(&mut self, name: &str) {
        self.text += &format!("[{name}]\n");
    }
    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        self.text += &format!("{key} = {}\n", quoted(key, value)?);
        Ok(())
    }
}

fn quoted(key: &str, value: &str) -> Result<String> {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for letter in value.chars() {
        match letter {
            '\\' => text += "\\\\",
            '"' => text += "\\\"",
            '\n' => text += "\\n",
            '\t' => text += "\\t",
            // The parser drops carriage returns and stops at a zero: neither would arrive as it was meant.
            '\r' | '\0' => {
                return Err(Error::spec(format!(
                    "the {key} of this cloud holds a character that cloud.conf cannot hold"
                )));
            }
            other => text.push(other),
        }
    }
    text.push('"');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_value_stays_in_it() {
        let value = "a:b;c#d \"e\" \\f\\n =g]\n[Global]\th\u{fc} ";
        assert_eq!(
            quoted("secret", value).unwrap(),
            "\"a:b;c#d \\\"e\\\" \\\\f\\\\n =g]\\n[Global]\\th\u{fc} \""
        );
        assert!(quoted("secret", "a\rb").is_err());
        assert!(quoted("secret", "a\0b").is_err());
    }
}
