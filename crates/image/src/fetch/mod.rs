//! Official cloud images, fetched from the sites of those who make them.
//!
//! ```text
//! catalog    which images there are, and where their makers publish them
//! sums       the lists of checksums beside them: SHA512SUMS, SHA256SUMS, MD5SUMS
//! download   curl, going on where an earlier download broke off
//! ```
//!
//! The list of checksums comes from the same site over https and is fetched anew each time: it tells which build
//! is the newest. The image itself comes from the cache when that build is there already. A half-made download
//! stays in `downloads/` of the cache under a name with its checksum, so that the next run goes on with it, and one
//! of another build is never mixed into it.

mod catalog;
mod download;
mod sums;

use std::fs;

use camino::Utf8Path;

pub use catalog::{Image, Release};
use download::Answer;
use sums::Sum;

use crate::cache::{Cache, Key, Shelf};
use crate::process;
use crate::progress::{Step, Watch, step};
use crate::{BuiltImage, Error, Result};

/// Overrides where images are fetched from: a mirror with the same paths below it.
pub const MIRROR_VARIABLE: &str = "CUMULET_IMAGE_MIRROR";

/// Fetches `release` unless the cache has its newest build; `mirror` takes the place of the official site.
///
/// # Errors
/// The site cannot be reached, has no such image, or what it gave does not match its checksum.
pub fn fetch(release: &Release, mirror: Option<&str>, cache: &Cache, watch: Watch<'_>) -> Result<BuiltImage> {
    process::require(&["curl"])?;
    let base = release.base(mirror);
    let file = release.file();
    let url = format!("{base}/{file}");
    let sum = published(release, &base, &file, mirror.is_some())?;
    let key = Key::new("fetch/1").with("file", &file).with("sum", sum.to_string());
    let name = release.name();
    let title = format!("fetch {url}");
    let entry = cache.file(Shelf::Images, &name, ".qcow2", &key, |draft| {
        step(watch, &title, || {
            let part = part(cache, &file, &sum)?;
            download::resume(&url, &part, mirror.is_some())?;
            check(release, &url, &part, &sum)?;
            fs::rename(&part, draft).map_err(Error::io("move", &part))
        })
    })?;
    if entry.reused {
        watch(Step::Reused { name: &title });
    }
    let path = cache.point(&format!("{name}.qcow2"), &entry)?;
    Ok(BuiltImage {
        path,
        name,
        disk_format: "qcow2".into(),
        min_disk_gib: release.image.min_disk_gib(),
        min_ram_mib: release.image.min_ram_mib(),
        properties: release.properties(),
        sha256: entry.sha256,
    })
}

/// What the site says the newest build's checksum is.
fn published(release: &Release, base: &str, file: &str, any_scheme: bool) -> Result<Sum> {
    let url = format!("{base}/{}", release.image.sums());
    let unusable = |why: String| Error::Invalid { what: format!("the site {base}"), why };
    let text = match download::text(&url, any_scheme)? {
        Answer::Ok(text) => text,
        Answer::NotFound => {
            return Err(Error::VersionNotAvailable {
                what: release.image.to_string(),
                wanted: release.version.clone(),
                why: format!("{url} is not there; name another with --release"),
            });
        }
        Answer::Failed(why) => {
            return Err(unusable(format!(
                "{why}; without a way to it, set {MIRROR_VARIABLE} to a mirror with the same paths"
            )));
        }
    };
    sums::find(&text, file).ok_or_else(|| unusable(format!("{url} has no checksum of {file}")))
}

/// Where the download of this very build is kept until it is whole.
fn part(cache: &Cache, file: &str, sum: &Sum) -> Result<camino::Utf8PathBuf> {
    let dir = cache.dir().join("downloads");
    fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    Ok(dir.join(format!("{file}-{}.part", sum.short())))
}

/// What does not match goes: going on with it would never end well.
fn check(release: &Release, url: &str, part: &Utf8Path, sum: &Sum) -> Result<()> {
    let wanted = [Some(sum.clone()), release.pinned()];
    for wanted in wanted.into_iter().flatten() {
        let found = wanted.of(part)?;
        if found != wanted {
            fs::remove_file(part).map_err(Error::io("remove", part))?;
            return Err(Error::Invalid {
                what: format!("the download {url}"),
                why: format!("its checksum is {found}, while {wanted} is published; run it again"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
