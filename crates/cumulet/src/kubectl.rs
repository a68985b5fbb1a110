//! kubectl, and what it logs in to the cloud with, for people who have none: those that were built with the node image,
//! kubectl of the very release of the cluster.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, symlink};

use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};

/// Where a kubectl of this release is, unless one is on PATH already; None also when no node image was built here.
pub fn find(version: &str) -> anyhow::Result<Option<Utf8PathBuf>> {
    missing_program("kubectl", &format!("kubernetes-{version}-"), version)
}

/// By what kubectl logs users of the cloud in, unless it is on PATH already.
pub fn find_login() -> anyhow::Result<Option<Utf8PathBuf>> {
    missing_program("client-keystone-auth", "cloud-provider-openstack-", "newest")
}

fn missing_program(name: &str, part: &str, version: &str) -> anyhow::Result<Option<Utf8PathBuf>> {
    if host::daemon::find_program(name).is_some() {
        return Ok(None);
    }
    from_cache(image::Cache::open()?.dir(), name, part, version)
}

/// Takes it out of the newest part that has it, once; `bin/NAME` points to the one asked for last.
fn from_cache(
    cache: &Utf8Path,
    name: &str,
    part: &str,
    version: &str,
) -> anyhow::Result<Option<Utf8PathBuf>> {
    let bin = cache.join("bin");
    let program = bin.join(format!("{name}-{version}"));
    if !program.exists() {
        let Some(part) = newest(&cache.join("parts"), part)? else {
            return Ok(None);
        };
        if !unpack(&part, name, &program).with_context(|| format!("cannot take {name} out of {part}"))? {
            return Ok(None);
        }
    }
    let (link, draft) = (bin.join(name), bin.join(format!(".{name}-{}", std::process::id())));
    symlink(program.file_name().unwrap_or_default(), &draft)
        .and_then(|()| std::fs::rename(&draft, &link))
        .with_context(|| format!("cannot make {link}"))?;
    Ok(Some(link))
}

fn newest(parts: &Utf8Path, prefix: &str) -> anyhow::Result<Option<Utf8PathBuf>> {
    let entries = match parts.read_dir_utf8() {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read {parts}")),
    };
    let of_release = entries.flatten().filter(|entry| {
        let path = entry.path();
        path.extension() == Some("tar") && path.file_name().is_some_and(|name| name.starts_with(prefix))
    });
    let written = |path: &Utf8Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    Ok(of_release.map(|entry| entry.path().to_owned()).max_by_key(|path| written(path)))
}

/// False: it is not in there.
fn unpack(part: &Utf8Path, name: &str, program: &Utf8Path) -> anyhow::Result<bool> {
    let mut archive = tar::Archive::new(std::fs::File::open(part)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.file_name().is_none_or(|file| file != name) || !entry.header().entry_type().is_file()
        {
            continue;
        }
        let bin = program.parent().context("no directory")?;
        std::fs::create_dir_all(bin)?;
        let draft = bin.join(format!(".draft-{}", std::process::id()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&draft)?;
        std::io::copy(&mut entry, &mut file)?;
        file.flush()?;
        std::fs::rename(&draft, program)?;
        return Ok(true);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn part(cache: &Utf8Path, name: &str, file: &str) {
        std::fs::create_dir_all(cache.join("parts")).unwrap();
        let mut archive = tar::Builder::new(std::fs::File::create(cache.join("parts").join(name)).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(6);
        header.set_mode(0o755);
        archive.append_data(&mut header, file, &b"binary"[..]).unwrap();
        archive.finish().unwrap();
    }

    fn kubectl(cache: &Utf8Path, version: &str) -> anyhow::Result<Option<Utf8PathBuf>> {
        from_cache(cache, "kubectl", &format!("kubernetes-{version}-"), version)
    }

    #[test]
    fn it_comes_out_of_the_part_of_its_release() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(kubectl(cache, "v1.36.3").unwrap(), None);
        part(cache, "kubernetes-v1.36.3-abc.tar", "./kubectl");
        part(cache, "kubernetes-v1.35.0-abc.tar", "kubelet");
        assert_eq!(kubectl(cache, "v1.35.0").unwrap(), None);
        let link = kubectl(cache, "v1.36.3").unwrap().unwrap();
        assert_eq!(std::fs::read(&link).unwrap(), b"binary");
        assert_eq!(std::fs::metadata(&link).unwrap().permissions().mode() & 0o777, 0o755);
        // The second time it is there, also without its part.
        std::fs::remove_dir_all(cache.join("parts")).unwrap();
        assert_eq!(kubectl(cache, "v1.36.3").unwrap(), Some(cache.join("bin/kubectl")));
    }

    #[test]
    fn the_node_image_carries_what_the_add_ons_name() {
        let carried = image::node::addon_images();
        for image in engine::addon_images() {
            assert!(
                carried.contains(&image),
                "{image} is named by a manifest and in no node image: {carried:?}"
            );
        }
    }
}
