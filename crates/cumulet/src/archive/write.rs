//! From a directory to an archive.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};

use super::{Hashing, MANIFEST, Manifest, STORES};

/// What an archive is made from.
pub struct Source<'a> {
    /// Everything in it but the stores.
    pub stage: &'a Utf8Path,
    /// Where the cloud lives.
    pub data_dir: &'a Utf8Path,
    /// Of each outside store: its id, its directory, and where its files are to be read.
    pub stores: &'a [(String, Utf8PathBuf, Utf8PathBuf)],
}

/// Writes it to `out`. Files with several names are written once.
pub fn pack(source: &Source<'_>, out: impl Write) -> anyhow::Result<Manifest> {
    let encoder = zstd::Encoder::new(out, 1)?;
    let mut packer = Packer {
        tar: tar::Builder::new(encoder),
        seen: HashMap::new(),
        manifest: Manifest {
            cumulet: env!("CARGO_PKG_VERSION").into(),
            made_at: base::time::seconds_z(base::time::now()),
            data_dir: source.data_dir.to_owned(),
            stores: source.stores.iter().map(|(id, dir, _)| (id.clone(), dir.clone())).collect(),
            files: BTreeMap::new(),
        },
    };
    packer.directory(source.stage, Utf8Path::new(""))?;
    if !source.stores.is_empty() {
        packer.folder(source.stage, Utf8Path::new(STORES))?;
    }
    for (id, _, files) in source.stores {
        let inside = Utf8Path::new(STORES).join(id);
        packer.folder(files, &inside)?;
        packer.directory(files, &inside)?;
    }
    let Packer { mut tar, manifest, .. } = packer;
    let text = serde_json::to_vec_pretty(&manifest)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, MANIFEST, text.as_slice())?;
    tar.into_inner()?.finish()?.flush()?;
    Ok(manifest)
}

struct Packer<W: Write> {
    tar: tar::Builder<zstd::Encoder<'static, W>>,
    /// First names of files that have several, by disk and inode.
    seen: HashMap<(u64, u64), Utf8PathBuf>,
    manifest: Manifest,
}

impl<W: Write> Packer<W> {
    /// An entry for a directory, with the mode of `like`.
    fn folder(&mut self, like: &Utf8Path, inside: &Utf8Path) -> anyhow::Result<()> {
        let metadata = std::fs::metadata(like).with_context(|| format!("cannot read {like}"))?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&metadata);
        Ok(self.tar.append_data(&mut header, format!("{inside}/"), std::io::empty())?)
    }

    /// What is in `from`, as what is in `inside` of the archive.
    fn directory(&mut self, from: &Utf8Path, inside: &Utf8Path) -> anyhow::Result<()> {
        let entries = from.read_dir_utf8().with_context(|| format!("cannot read {from}"))?;
        let mut names =
            entries.map(|e| e.map(|e| e.file_name().to_owned())).collect::<Result<Vec<_>, _>>()?;
        names.sort();
        for name in names {
            let (path, inside) = (from.join(&name), inside.join(&name));
            let metadata = std::fs::symlink_metadata(&path).with_context(|| format!("cannot read {path}"))?;
            if metadata.is_dir() {
                self.folder(&path, &inside)?;
                self.directory(&path, &inside)?;
            } else if metadata.is_file() {
                let mut header = tar::Header::new_gnu();
                header.set_metadata(&metadata);
                self.file(&inside, &path, &metadata, header)
                    .with_context(|| format!("cannot pack {path}"))?;
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        inside: &Utf8Path,
        path: &Utf8Path,
        metadata: &std::fs::Metadata,
        mut header: tar::Header,
    ) -> anyhow::Result<()> {
        if metadata.nlink() > 1 {
            let number = (metadata.dev(), metadata.ino());
            if let Some(first) = self.seen.get(&number) {
                header.set_entry_type(tar::EntryType::Link);
                header.set_size(0);
                return Ok(self.tar.append_link(&mut header, inside, first)?);
            }
            self.seen.insert(number, inside.to_owned());
        }
        let mut content = Hashing::new(std::fs::File::open(path)?);
        self.tar.append_data(&mut header, inside, &mut content)?;
        let file = content.finish();
        anyhow::ensure!(file.size == metadata.len(), "it changed its size meanwhile");
        self.manifest.files.insert(inside.to_string(), file);
        Ok(())
    }
}
