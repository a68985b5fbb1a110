//! Container images written by hand: an OCI image layout in one tar, with any number of images in it.
//!
//! ```text
//! oci-layout                 the version of the layout
//! index.json                 which images there are, and under which names
//! blobs/sha256/<digest>      layers, configurations, manifests; each once, however many images share it
//! ```
//!
//! Layers are not compressed: they are unpacked on this machine right away, and the disk image is compressed as
//! a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tar;
use crate::{Error, Result};

/// A layer that lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub path: Utf8PathBuf,
    pub digest: String,
    pub size: u64,
}

/// One file, directory or link of a layer. Paths are relative to the image's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Directory { path: String, mode: u32 },
    Symlink { path: String, target: String },
    File { path: String, mode: u32, source: Utf8PathBuf },
    Text { path: String, mode: u32, text: String },
}

impl Entry {
    pub fn directory(path: &str) -> Entry {
        Entry::Directory { path: path.into(), mode: 0o755 }
    }

    pub fn symlink(path: impl Into<String>, target: impl Into<String>) -> Entry {
        Entry::Symlink { path: path.into(), target: target.into() }
    }

    pub fn program(path: impl Into<String>, source: Utf8PathBuf) -> Entry {
        Entry::File { path: path.into(), mode: 0o755, source }
    }

    pub fn text(path: &str, text: &str) -> Entry {
        Entry::Text { path: path.into(), mode: 0o644, text: text.into() }
    }

    fn path(&self) -> &str {
        match self {
            Entry::Directory { path, .. }
            | Entry::Symlink { path, .. }
            | Entry::File { path, .. }
            | Entry::Text { path, .. } => path,
        }
    }
}

/// Writes a layer to `path`. Directories that lead to an entry are made as needed; order and repetition of the
/// entries make no difference.
///
/// # Errors
/// A file cannot be read, or the layer cannot be written.
pub fn layer(path: &Utf8Path, entries: &[Entry]) -> Result<Layer> {
    let mut sorted: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in entries {
        for (at, _) in entry.path().match_indices('/') {
            let parent = &entry.path()[..at];
            sorted.entry(parent.to_owned()).or_insert_with(|| Entry::directory(parent));
        }
        sorted.insert(entry.path().to_owned(), entry.clone());
    }
    let write = Error::io("write", path);
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut tar = tar::Writer::new(Hashing::new(BufWriter::new(file)));
    for entry in sorted.values() {
        let put = match entry {
            Entry::Directory { path, mode } => tar.directory(path, *mode),
            Entry::Symlink { path, target } => tar.symlink(path, target),
            Entry::Text { path, mode, text } => tar.bytes(path, *mode, text.as_bytes()),
            Entry::File { path, mode, source } => {
                tar.file(path, *mode, source)?;
                Ok(())
            }
        };
        put.map_err(Error::io("write", path))?;
    }
    let hashing = tar.finish().map_err(write)?;
    Ok(Layer { path: path.to_owned(), digest: hashing.digest(), size: hashing.size })
}

/// What an image runs, and under which names it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    pub names: Vec<String>,
    pub layers: Vec<Layer>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// `65532:65532`; empty is root.
    pub user: String,
}

/// The directories of a plain Debian `PATH`, so that a pod may say `kube-apiserver`.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Image {
    fn config(&self) -> Value {
        let mut config = json!({ "Env": [PATH] });
        if !self.entrypoint.is_empty() {
            config["Entrypoint"] = json!(self.entrypoint);
        }
        if !self.command.is_empty() {
            config["Cmd"] = json!(self.command);
        }
        if !self.user.is_empty() {
            config["User"] = json!(self.user);
        }
        let diffs: Vec<&str> = self.layers.iter().map(|layer| layer.digest.as_str()).collect();
        json!({
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": diffs },
        })
    }

    fn manifest(&self, config: &Blob) -> Value {
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", &layer.digest, layer.size))
            .collect();
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config.digest, config.size()),
            "layers": layers,
        })
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn descriptor(media_type: &str, digest: &str, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

struct Blob {
    digest: String,
    text: Vec<u8>,
}

impl Blob {
    fn new(value: &Value) -> Blob {
        let text = value.to_string().into_bytes();
        Blob { digest: digest(&Sha256::digest(&text)), text }
    }

    fn size(&self) -> u64 {
        self.text.len() as u64
    }
}

/// Writes all `images` into one archive.
///
/// # Errors
/// A layer cannot be read, or the archive cannot be written.
pub fn archive(images: &[Image], out: impl Write, shown: &Utf8Path) -> Result<()> {
    let mut tar = tar::Writer::new(out);
    let layers: BTreeMap<&str, &Layer> =
        images.iter().flat_map(|image| &image.layers).map(|layer| (layer.digest.as_str(), layer)).collect();
    let mut texts = BTreeMap::new();
    let mut manifests = Vec::new();
    for image in images {
        let config = Blob::new(&image.config());
        let manifest = Blob::new(&image.manifest(&config));
        for name in &image.names {
            let mut listed = descriptor(MANIFEST, &manifest.digest, manifest.size());
            // containerd takes the whole name from its own annotation; the standard one holds the tag alone.
            listed["annotations"] = json!({
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rsplit(':').next().unwrap_or_default(),
            });
            manifests.push(listed);
        }
        for blob in [config, manifest] {
            texts.insert(blob.digest.clone(), blob);
        }
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    let put = |result: io::Result<()>| result.map_err(Error::io("write", shown));
    put(tar.bytes("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#))?;
    put(tar.bytes("index.json", 0o644, index.to_string().as_bytes()))?;
    for blob in texts.values() {
        put(tar.bytes(&blob_path(&blob.digest), 0o644, &blob.text))?;
    }
    for layer in layers.values() {
        tar.file(&blob_path(&layer.digest), 0o644, &layer.path)?;
    }
    put(tar.finish().map(drop))
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn digest(hash: &[u8]) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Passes on what is written, and knows its size and hash.
struct Hashing<W> {
    out: W,
    hash: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    fn new(out: W) -> Hashing<W> {
        Hashing { out, hash: Sha256::new(), size: 0 }
    }

    fn digest(&self) -> String {
        digest(&self.hash.clone().finalize())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
