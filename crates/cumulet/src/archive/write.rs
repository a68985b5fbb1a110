//! From a directory to an archive.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};

use super::{Hashing, MANIFEST, Manifest};

/// Writes everything under `from` to `out`. Files with several names are written once.
pub fn pack(from: &Utf8Path, data_dir: &Utf8Path, out: impl Write) -> anyhow::Result<Manifest> {
    let encoder = zstd::Encoder::new(out, 1)?;
    let mut packer = Packer {
        root: from,
        tar: tar::Builder::new(encoder),
        seen: HashMap::new(),
        manifest: Manifest {
            cumulet: env!("CARGO_PKG_VERSION").into(),
            made_at: base::time::seconds_z(base::time::now()),
            data_dir: data_dir.to_owned(),
            files: BTreeMap::new(),
        },
    };
    packer.directory(Utf8Path::new(""))?;
    let Packer { mut tar, manifest, .. } = packer;
    let text = serde_json::to_vec_pretty(&manifest)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, MANIFEST, text.as_slice())?;
    tar.into_inner()?.finish()?.flush()?;
    Ok(manifest)
}

struct Packer<'a, W: Write> {
    root: &'a Utf8Path,
    tar: tar::Builder<zstd::Encoder<'static, W>>,
    /// First names of files that have several, by inode.
    seen: HashMap<u64, Utf8PathBuf>,
    manifest: Manifest,
}

impl<W: Write> Packer<'_, W> {
    fn directory(&mut self, relative: &Utf8Path) -> anyhow::Result<()> {
        let path = self.root.join(relative);
        let entries = path.read_dir_utf8().with_context(|| format!("cannot read {path}"))?;
        let mut names =
            entries.map(|e| e.map(|e| e.file_name().to_owned())).collect::<Result<Vec<_>, _>>()?;
        names.sort();
        for name in names {
            let relative = relative.join(name);
            let path = self.root.join(&relative);
            let metadata = std::fs::symlink_metadata(&path).with_context(|| format!("cannot read {path}"))?;
            let mut header = tar::Header::new_gnu();
            header.set_metadata(&metadata);
            if metadata.is_dir() {
                self.tar.append_data(&mut header, format!("{relative}/"), std::io::empty())?;
                self.directory(&relative)?;
            } else if metadata.is_file() {
                self.file(&relative, &path, &metadata, header)
                    .with_context(|| format!("cannot pack {path}"))?;
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        relative: &Utf8Path,
        path: &Utf8Path,
        metadata: &std::fs::Metadata,
        mut header: tar::Header,
    ) -> anyhow::Result<()> {
        if metadata.nlink() > 1 {
            if let Some(first) = self.seen.get(&metadata.ino()) {
                header.set_entry_type(tar::EntryType::Link);
                header.set_size(0);
                return Ok(self.tar.append_link(&mut header, relative, first)?);
            }
            self.seen.insert(metadata.ino(), relative.to_owned());
        }
        let mut content = Hashing::new(std::fs::File::open(path)?);
        self.tar.append_data(&mut header, relative, &mut content)?;
        let file = content.finish();
        anyhow::ensure!(file.size == metadata.len(), "it changed its size meanwhile");
        self.manifest.files.insert(relative.to_string(), file);
        Ok(())
    }
}
