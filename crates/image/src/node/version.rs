//! Which Kubernetes: `v1.36.3`, and what follows from it for the modules it is built from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A released version of Kubernetes. Parses with and without the `v`; pre-releases are not releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KubernetesVersion {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl KubernetesVersion {
    /// The version that Kubernetes' published libraries (`k8s.io/api` and the like) carry: `v0.36.3` for `v1.36.3`.
    #[must_use]
    pub fn libraries(self) -> String {
        format!("v0.{}.{}", self.minor, self.patch)
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for KubernetesVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::Invalid {
            what: format!("the Kubernetes version \"{text}\""),
            why: format!("it must look like {}", super::newest()),
        };
        let digits = text.strip_prefix('v').unwrap_or(text);
        let numbers: Vec<u32> = digits
            .split('.')
            // `parse` alone would take "+1" and "01", which name no release.
            .map(|part| {
                let canonical =
                    part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
                part.parse().ok().filter(|_| canonical)
            })
            .collect::<Option<_>>()
            .ok_or_else(invalid)?;
        match numbers[..] {
            [1, minor, patch] => Ok(KubernetesVersion { major: 1, minor, patch }),
            _ => Err(invalid()),
        }
    }
}

impl From<KubernetesVersion> for String {
    fn from(version: KubernetesVersion) -> String {
        version.to_string()
    }
}

impl TryFrom<String> for KubernetesVersion {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_releases() {
        for text in ["v1.36.3", "1.36.3"] {
            let version: KubernetesVersion = text.parse().unwrap();
            assert_eq!(version, KubernetesVersion { major: 1, minor: 36, patch: 3 });
            assert_eq!(version.to_string(), "v1.36.3");
            assert_eq!(version.libraries(), "v0.36.3");
        }
        assert_eq!("v1.20.0".parse::<KubernetesVersion>().unwrap().patch, 0);
    }

    #[test]
    fn refuses_everything_else() {
        for text in
            ["", "v", "v1", "1.36", "v2.0.0", "v1.36.3-rc.1", "v1.36.x", "v1.+6.3", "v1.036.3", "v1.36.3.1"]
        {
            let err = text.parse::<KubernetesVersion>().unwrap_err().to_string();
            assert!(err.contains("must look like v1."), "{text}: {err}");
        }
    }
}
