//! Which images there are, and where their makers publish them.

use std::collections::BTreeMap;
use std::fmt;

use super::sums::Sum;

/// A distribution that publishes images for clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    Cirros,
    Debian,
    Ubuntu,
}

/// One release of a distribution: CirrOS 0.6.3, Debian 13, Ubuntu 24.04.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub image: Image,
    pub version: String,
}

/// Debian's directories have the names of its releases.
const DEBIAN: &[(&str, &str)] = &[("11", "bullseye"), ("12", "bookworm"), ("13", "trixie")];
/// CirrOS signs with MD5 only; of the releases here more is known.
const CIRROS: &[(&str, &str)] =
    &[("0.6.3", "7d6355852aeb6dbcd191bcda7cd74f1536cfe5cbf8a10495a7283a8396e4b75b")];

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.distro())
    }
}

impl Image {
    /// As in Glance's `os_distro`.
    #[must_use]
    pub fn distro(self) -> &'static str {
        match self {
            Image::Cirros => "cirros",
            Image::Debian => "debian",
            Image::Ubuntu => "ubuntu",
        }
    }

    /// The release that is fetched when none is named.
    #[must_use]
    pub fn newest(self) -> Release {
        let version = match self {
            Image::Cirros => "0.6.3",
            Image::Debian => "13",
            Image::Ubuntu => "24.04",
        };
        Release { image: self, version: version.into() }
    }

    /// A release by the version that its makers give it.
    ///
    /// # Errors
    /// It is none: `VersionNotAvailable`.
    pub fn release(self, version: &str) -> crate::Result<Release> {
        let not = |why: String| crate::Error::VersionNotAvailable {
            what: self.to_string(),
            wanted: version.into(),
            why,
        };
        // It becomes part of a path.
        let plain = !version.is_empty() && version.split('.').all(|n| n.parse::<u16>().is_ok());
        if !plain {
            return Err(not(format!("a version is written as in {}", self.newest().version)));
        }
        if self == Image::Debian && !DEBIAN.iter().any(|(known, _)| *known == version) {
            let known: Vec<_> = DEBIAN.iter().map(|(known, _)| *known).collect();
            return Err(not(format!("there are {}", known.join(", "))));
        }
        Ok(Release { image: self, version: version.into() })
    }

    pub(super) fn sums(self) -> &'static str {
        match self {
            Image::Cirros => "MD5SUMS",
            Image::Debian => "SHA512SUMS",
            Image::Ubuntu => "SHA256SUMS",
        }
    }

    fn site(self) -> &'static str {
        match self {
            Image::Cirros => "https://download.cirros-cloud.net",
            Image::Debian => "https://cloud.debian.org",
            Image::Ubuntu => "https://cloud-images.ubuntu.com",
        }
    }

    /// The virtual disks of these images, rounded up.
    pub(super) fn min_disk_gib(self) -> u64 {
        match self {
            Image::Cirros => 1,
            Image::Debian => 3,
            Image::Ubuntu => 4,
        }
    }

    pub(super) fn min_ram_mib(self) -> u64 {
        match self {
            Image::Cirros => 128,
            Image::Debian => 512,
            Image::Ubuntu => 1024,
        }
    }
}

impl Release {
    /// The name it gets in the image service: `debian-13`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.image, self.version)
    }

    /// The directory of the image and its list of checksums.
    pub(super) fn base(&self, mirror: Option<&str>) -> String {
        let site = mirror.unwrap_or(self.image.site()).trim_end_matches('/');
        let version = &self.version;
        match self.image {
            Image::Cirros => format!("{site}/{version}"),
            Image::Debian => format!("{site}/images/cloud/{}/latest", self.codename()),
            Image::Ubuntu => format!("{site}/releases/{version}/release"),
        }
    }

    pub(super) fn file(&self) -> String {
        let version = &self.version;
        match self.image {
            Image::Cirros => format!("cirros-{version}-x86_64-disk.img"),
            Image::Debian => format!("debian-{version}-genericcloud-amd64.qcow2"),
            Image::Ubuntu => format!("ubuntu-{version}-server-cloudimg-amd64.img"),
        }
    }

    pub(super) fn pinned(&self) -> Option<Sum> {
        let known = CIRROS.iter().filter(|_| self.image == Image::Cirros);
        known.clone().find(|(version, _)| *version == self.version).map(|(_, sum)| Sum::Sha256((*sum).into()))
    }

    /// What the image service should know; nothing about hardware, which is the cloud's to choose.
    pub(super) fn properties(&self) -> BTreeMap<String, String> {
        let user = match self.image {
            Image::Cirros => "cirros",
            Image::Debian => "debian",
            Image::Ubuntu => "ubuntu",
        };
        [
            ("architecture", "x86_64"),
            ("os_admin_user", user),
            ("os_distro", self.image.distro()),
            ("os_type", "linux"),
            ("os_version", &self.version),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn codename(&self) -> &'static str {
        DEBIAN.iter().find(|(version, _)| *version == self.version).map_or("sid", |(_, name)| name)
    }
}
