//! Which cloud: `--os-cloud`, else `OS_CLOUD`, else `OS_*` variables, else clouds.yaml if it leaves no doubt.

use openstack_sdk::config::{CloudConfig, ConfigFile};

use crate::{Error, Result};

/// What the user said about the cloud, unresolved.
#[derive(Debug, Clone, Default)]
pub struct CloudChoice {
    /// `--os-cloud`.
    pub os_cloud: Option<String>,
    /// The entry to take when nothing was said and clouds.yaml holds several.
    pub preferred: Option<String>,
}

impl CloudChoice {
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { os_cloud: Some(name.into()), preferred: None }
    }

    pub(crate) fn resolve(&self) -> Result<CloudConfig> {
        let env = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(name) = self.os_cloud.clone().or_else(|| env("OS_CLOUD")) {
            return from_file(&read_clouds()?, &name);
        }
        if env("OS_AUTH_URL").is_some() {
            let mut cloud = CloudConfig::from_env().map_err(|error| Error::Config {
                message: format!("the OS_* variables are not usable: {error}"),
            })?;
            cloud.name = Some("envvars".to_owned());
            return normalize(cloud);
        }
        let file = read_clouds()?;
        let mut names = file.get_available_clouds();
        names.sort();
        let chosen = match (names.as_slice(), &self.preferred) {
            ([only], _) => only.clone(),
            (all, Some(preferred)) if all.contains(preferred) => preferred.clone(),
            ([], _) => {
                return Err(Error::Config {
                    message: "no cloud is known: there is no clouds.yaml in ., ~/.config/openstack or /etc/openstack, \
                              and OS_AUTH_URL is not set; start one with `cumulet up`, or give --os-cloud"
                        .to_owned(),
                });
            }
            (all, _) => {
                return Err(Error::Config {
                    message: format!(
                        "clouds.yaml holds several clouds ({}); choose one with --os-cloud",
                        all.join(", ")
                    ),
                });
            }
        };
        from_file(&file, &chosen)
    }
}

/// The entry `name` of the clouds.yaml at `path`, with none of the standard places looked at.
pub(crate) fn from_path(path: &std::path::Path, name: &str) -> Result<CloudConfig> {
    let unusable =
        |error: String| Error::Config { message: format!("{} is not usable: {error}", path.display()) };
    let file = ConfigFile::builder().add_source(path).map_err(|error| unusable(error.to_string()))?;
    from_file(&file.build().map_err(|error| unusable(error.to_string()))?, name)
}

fn read_clouds() -> Result<ConfigFile> {
    ConfigFile::new()
        .map_err(|error| Error::Config { message: format!("clouds.yaml is not usable: {error}") })
}

fn from_file(file: &ConfigFile, name: &str) -> Result<CloudConfig> {
    let found = file.get_cloud_config(name).map_err(|error| Error::Config {
        message: format!("cloud `{name}` in clouds.yaml is not usable: {error}"),
    })?;
    match found {
        Some(cloud) => normalize(cloud),
        None => {
            let mut names = file.get_available_clouds();
            names.sort();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Err(Error::Config { message: format!("cloud `{name}` is not in clouds.yaml (known: {known})") })
        }
    }
}

/// Spellings that other clients accept and the SDK does not.
fn normalize(mut cloud: CloudConfig) -> Result<CloudConfig> {
    if let Some(auth) = &mut cloud.auth {
        let kind = cloud.auth_type.as_deref().map(|kind| kind.to_lowercase().replace('_', ""));
        let application =
            auth.application_credential_id.is_some() || auth.application_credential_name.is_some();
        cloud.auth_type = match kind.as_deref() {
            None if application => Some("v3applicationcredential".to_owned()),
            None if auth.token.is_some() && auth.password.is_none() => Some("v3token".to_owned()),
            None => None,
            Some(kind) => Some(kind.to_owned()),
        };
        if cloud.auth_type.as_deref().is_some_and(|kind| kind.ends_with("applicationcredential")) {
            if auth.application_credential_id.is_none() {
                return Err(Error::Config {
                    message: "an application credential is named by application_credential_id; its name alone is not \
                              enough"
                        .to_owned(),
                });
            }
            // An application credential carries its own project: asking for a scope is refused by Keystone.
            auth.project_id = None;
            auth.project_name = None;
            auth.domain_id = None;
            auth.domain_name = None;
            auth.system_scope = None;
        }
    }
    // `endpoint_type: publicURL` is the older name of `interface: public`; the SDK fills in `public` by itself.
    if let Some(kind) = cloud.options.get("endpoint_type").and_then(|kind| kind.clone().into_string().ok()) {
        cloud.interface = Some(kind.trim_end_matches("URL").to_owned());
    }
    if let Some(file) = &mut cloud.cacert {
        *file = at_home(file, std::env::var("HOME").ok());
    }
    Ok(cloud)
}

/// `~/ca.pem`, as a shell would have it; others read the file by this name, too.
fn at_home(path: &str, home: Option<String>) -> String {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => format!("{}/{rest}", home.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_directory() {
        assert_eq!(at_home("~/ca.pem", Some("/home/me/".into())), "/home/me/ca.pem");
        assert_eq!(at_home("/etc/~/ca.pem", Some("/home/me".into())), "/etc/~/ca.pem");
        assert_eq!(at_home("~/ca.pem", None), "~/ca.pem");
    }

    fn file(text: &str) -> ConfigFile {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clouds.yaml");
        std::fs::write(&path, text).unwrap();
        ConfigFile::builder().add_source(&path).unwrap().build().unwrap()
    }

    #[test]
    fn application_credentials_lose_their_scope_and_need_no_auth_type() {
        let clouds = file(
            "clouds:\n  a:\n    endpoint_type: internalURL\n    auth:\n      auth_url: http://127.0.0.1/v3\n      \
             application_credential_id: i\n      application_credential_secret: s\n      project_name: p\n",
        );
        let cloud = from_file(&clouds, "a").unwrap();
        assert_eq!(cloud.auth_type.as_deref(), Some("v3applicationcredential"));
        assert_eq!(cloud.interface.as_deref(), Some("internal"));
        assert_eq!(cloud.auth.unwrap().project_name, None);
    }

    #[test]
    fn an_unknown_cloud_names_the_known_ones() {
        let clouds =
            file("clouds:\n  b:\n    auth: {auth_url: 'http://x'}\n  a:\n    auth: {auth_url: 'http://x'}\n");
        let error = from_file(&clouds, "c").unwrap_err().to_string();
        assert_eq!(error, "cloud `c` is not in clouds.yaml (known: a, b)");
    }
}
