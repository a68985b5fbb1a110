//! From an archive to a directory.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, bail, ensure};
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::{File, Hashing, MANIFEST, Manifest};

const CUT_OFF: &str = "the archive is damaged or cut off";

/// Unpacks into an empty directory. Everything is compared with the manifest; on any error the directory's contents
/// are to be thrown away.
pub fn unpack(archive: impl Read, into: &Utf8Path) -> anyhow::Result<Manifest> {
    let mut tar = tar::Archive::new(zstd::Decoder::new(archive).context("it is no archive of a cloud")?);
    let mut found: BTreeMap<String, File> = BTreeMap::new();
    let mut manifest: Option<Manifest> = None;
    for entry in tar.entries().context("it is no archive of a cloud")? {
        let mut entry = entry.context(CUT_OFF)?;
        let relative = safe(&Utf8PathBuf::try_from(entry.path()?.into_owned())?)?;
        if relative == MANIFEST {
            let mut text = String::new();
            entry.read_to_string(&mut text).context(CUT_OFF)?;
            manifest = Some(serde_json::from_str(&text).context("the archive's manifest is not one")?);
            continue;
        }
        let path = into.join(&relative);
        let mode = Permissions::from_mode(entry.header().mode()? & 0o7777);
        match entry.header().entry_type() {
            tar::EntryType::Directory => std::fs::create_dir_all(&path),
            tar::EntryType::Link => {
                let first = entry.link_name()?.context("a link to nothing")?.into_owned();
                let first = into.join(safe(&Utf8PathBuf::try_from(first)?)?);
                std::fs::hard_link(first, &path).with_context(|| format!("cannot make {path}"))?;
                continue;
            }
            tar::EntryType::Regular => {
                let file = write(&mut entry, &path).with_context(|| format!("cannot unpack {path}"))?;
                found.insert(relative.into_string(), file);
                Ok(())
            }
            other => bail!("the archive holds {relative}, which is a {other:?}"),
        }
        .and_then(|()| std::fs::set_permissions(&path, mode))
        .with_context(|| format!("cannot make {path}"))?;
    }
    let manifest = manifest.context("the archive is cut off: it has no manifest")?;
    for (name, wanted) in &manifest.files {
        ensure!(found.get(name) == Some(wanted), "the archive is damaged: {name} is not what it was");
    }
    ensure!(found.len() == manifest.files.len(), "the archive holds files that its manifest does not know");
    Ok(manifest)
}

/// Within the directory, whatever the archive says.
fn safe(path: &Utf8Path) -> anyhow::Result<Utf8PathBuf> {
    let inside = path.components().all(|part| matches!(part, Utf8Component::Normal(_)));
    ensure!(inside && path != "", "the archive names {path}, which is outside of it");
    Ok(path.components().collect())
}

/// Disks are full of nothing, and nothing takes no space.
fn write(from: &mut impl Read, path: &Utf8Path) -> anyhow::Result<File> {
    let mut from = Hashing::new(from);
    let mut file = std::fs::File::create_new(path)?;
    let mut block = vec![0u8; 64 << 10];
    loop {
        let count = fill(&mut from, &mut block).context(CUT_OFF)?;
        if count == 0 {
            break;
        }
        if block[..count].iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Current(i64::try_from(count)?))?;
        } else {
            file.write_all(&block[..count])?;
        }
    }
    let told = from.finish();
    file.set_len(told.size)?;
    Ok(told)
}

fn fill(from: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match from.read(&mut block[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
