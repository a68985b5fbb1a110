//! Finished parts on disk.
//!
//! ```text
//! $CUMULET_CACHE (or ~/.cache/cumulet)
//!   parts/<name>-<key><suffix>            a part: its key is the hash of everything that went into it
//!   parts/<name>-<key><suffix>.sha256     its checksum, in the format of sha256sum
//!   parts/<name>-<key><suffix>.lock       held while it is made, so that two builders do not both make it
//!   images/...                            the same, for finished images; `tiny.qcow2` points to the newest
//!   downloads/                            half-made downloads, which the next run goes on with
//!   work/<random>/                        builds under way; those of killed builds are swept by the next one
//! ```
//!
//! A part appears by rename, after its bytes and its checksum are on disk: a kill, a full disk or a power cut
//! leaves either the whole part or none. A part whose bytes no longer match its checksum is made again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The cache directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: Utf8PathBuf,
    fresh: bool,
}

/// A part in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: Utf8PathBuf,
    /// In hex.
    pub sha256: String,
    /// It was there already.
    pub reused: bool,
}

/// Which shelf of the cache a part lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    Parts,
    Images,
}

impl Shelf {
    fn dir(self) -> &'static str {
        match self {
            Shelf::Parts => "parts",
            Shelf::Images => "images",
        }
    }
}

impl Cache {
    /// The cache of this user: `$CUMULET_CACHE`, else `$XDG_CACHE_HOME/cumulet`, else `~/.cache/cumulet`.
    ///
    /// # Errors
    /// Neither is set, or the directory cannot be made.
    pub fn open() -> Result<Cache> {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let dir = var("CUMULET_CACHE")
            .map(Utf8PathBuf::from)
            .or_else(|| var("XDG_CACHE_HOME").map(|dir| Utf8PathBuf::from(dir).join("cumulet")))
            .or_else(|| var("HOME").map(|dir| Utf8PathBuf::from(dir).join(".cache/cumulet")))
            .ok_or_else(|| Error::Invalid {
                what: "the cache directory".into(),
                why: "neither CUMULET_CACHE nor HOME is set; set CUMULET_CACHE to a directory".into(),
            })?;
        Cache::at(dir)
    }

    /// A cache in a directory of your choice, which is made.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn at(dir: impl Into<Utf8PathBuf>) -> Result<Cache> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let dir = dir.canonicalize_utf8().map_err(Error::io("open", &dir))?;
        Ok(Cache { dir, fresh: false })
    }

    /// Takes nothing from the cache: every part is made again and replaces the old one.
    #[must_use]
    pub fn fresh(mut self, fresh: bool) -> Cache {
        self.fresh = fresh;
        self
    }

    #[must_use]
    pub fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// A directory for a build under way, on the same file system as the parts; removed when dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn workspace(&self) -> Result<Workspace> {
        let parent = self.dir.join("work");
        fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
        sweep(&parent);
        let dir = tempfile::Builder::new()
            .tempdir_in(&parent)
            .map_err(Error::io("create a directory in", &parent))?;
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).map_err(|path| Error::Invalid {
            what: path.display().to_string(),
            why: "a path that is not UTF-8".into(),
        })?;
        let lock_path = lock_of(&path);
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        lock.lock().map_err(Error::io("lock", &lock_path))?;
        Ok(Workspace { dir: Some(dir), path, _lock: lock })
    }

    /// The part `<name>-<key><suffix>`; when it is not there, `make` writes it to the path it is given.
    ///
    /// # Errors
    /// Those of `make`, and of the file system. Nothing is left then.
    pub fn file(
        &self,
        shelf: Shelf,
        name: &str,
        suffix: &str,
        key: &Key,
        make: impl FnOnce(&Utf8Path) -> Result<()>,
    ) -> Result<Entry> {
        let shelf = self.dir.join(shelf.dir());
        fs::create_dir_all(&shelf).map_err(Error::io("create", &shelf))?;
        let path = shelf.join(format!("{name}-{}{suffix}", key.short()));
        let lock_path = Utf8PathBuf::from(format!("{path}.lock"));
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        lock.lock().map_err(Error::io("lock", &lock_path))?;
        if !self.fresh
            && let Some(sha256) = check(&path)?
        {
            return Ok(Entry { path, sha256, reused: true });
        }
        let work = self.workspace()?;
        let draft = work.path().join(format!("{name}{suffix}"));
        make(&draft)?;
        if !draft.is_file() {
            return Err(Error::Missing { path: draft, from: format!("from the build of {name}") });
        }
        let sha256 = sha256_file(&draft)?;
        publish(&draft, &path, &sha256)?;
        Ok(Entry { path, sha256, reused: false })
    }

    /// The part, if it is there and whole. Nothing is made.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn find(&self, shelf: Shelf, name: &str, suffix: &str, key: &Key) -> Result<Option<Entry>> {
        let path = self.dir.join(shelf.dir()).join(format!("{name}-{}{suffix}", key.short()));
        Ok(check(&path)?.map(|sha256| Entry { path, sha256, reused: true }))
    }

    /// Makes `images/<name>` point to `entry`, atomically, and returns the path of that link.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn point(&self, name: &str, entry: &Entry) -> Result<Utf8PathBuf> {
        let link = self.dir.join(Shelf::Images.dir()).join(name);
        let target = entry.path.file_name().unwrap_or_default();
        let work = self.workspace()?;
        let draft = work.path().join(name);
        std::os::unix::fs::symlink(target, &draft).map_err(Error::io("link", &draft))?;
        fs::rename(&draft, &link).map_err(Error::io("replace", &link))?;
        Ok(link)
    }
}

/// A directory for a build under way; see [`Cache::workspace`].
#[derive(Debug)]
pub struct Workspace {
    dir: Option<tempfile::TempDir>,
    path: Utf8PathBuf,
    _lock: File,
}

impl Workspace {
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Some(dir) = self.dir.take()
            && let Err(err) = dir.close()
        {
            tracing::warn!(path = %self.path, error = %err, "cannot remove a build directory");
        }
        drop(fs::remove_file(lock_of(&self.path)));
    }
}

fn lock_of(workspace: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{workspace}.lock"))
}

/// Removes the work directories of builds that were killed: their locks went with them.
fn sweep(parent: &Utf8Path) {
    let Ok(entries) = parent.read_dir_utf8() else { return };
    for entry in entries.flatten().filter(|entry| entry.path().extension() == Some("lock")) {
        let Ok(lock) = OpenOptions::new().read(true).open(entry.path()) else { continue };
        match lock.try_lock() {
            Ok(()) => {
                let dir = entry.path().with_extension("");
                tracing::info!(path = %dir, "removing what a killed build left");
                if dir.exists()
                    && let Err(err) = fs::remove_dir_all(&dir)
                {
                    tracing::warn!(path = %dir, error = %err, "cannot remove what a killed build left");
                    continue;
                }
                drop(fs::remove_file(entry.path()));
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(err)) => {
                tracing::warn!(path = %entry.path(), error = %err, "cannot lock");
            }
        }
    }
}

fn sidecar(path: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.sha256"))
}

/// The part's checksum when it is there and whole.
fn check(path: &Utf8Path) -> Result<Option<String>> {
    let Ok(line) = fs::read_to_string(sidecar(path)) else { return Ok(None) };
    if !path.is_file() {
        return Ok(None);
    }
    let found = sha256_file(path)?;
    if line.split_whitespace().next() == Some(found.as_str()) {
        return Ok(Some(found));
    }
    tracing::warn!(%path, "a cached file does not match its checksum; it is made again");
    Ok(None)
}

fn publish(draft: &Utf8Path, path: &Utf8Path, sha256: &str) -> Result<()> {
    File::open(draft).and_then(|file| file.sync_all()).map_err(Error::io("write", draft))?;
    let note = sidecar(draft);
    let line = format!("{sha256}  {}\n", path.file_name().unwrap_or_default());
    File::create(&note)
        .and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(Error::io("write", &note))?;
    // The checksum goes first: with an old part beside it it does not match, and that part is made again.
    fs::rename(&note, sidecar(path)).map_err(Error::io("write", sidecar(path)))?;
    fs::rename(draft, path).map_err(Error::io("write", path))?;
    let dir = path.parent().unwrap_or(path);
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("write", dir))
}

/// The SHA-256 of a file, in hex.
///
/// # Errors
/// It cannot be read.
pub fn sha256_file(path: &Utf8Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key of a part: the hash of all that went into it. Every input has a name, and order matters.
#[derive(Debug, Clone)]
pub struct Key(Sha256);

impl Key {
    /// `recipe` names the kind of part; add a version to it (`disk/1`) and raise that when the code that makes
    /// the part changes.
    #[must_use]
    pub fn new(recipe: &str) -> Key {
        Key(Sha256::new()).with("recipe", recipe)
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Key {
        // Lengths first, so that no two different lists of inputs run together into the same bytes.
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// The whole key, in hex.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0.clone().finalize())
    }

    fn short(&self) -> String {
        self.hex()[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap()).unwrap();
        (dir, cache)
    }

    fn put(cache: &Cache, text: &str) -> Entry {
        cache
            .file(Shelf::Parts, "part", ".txt", &Key::new("test/1"), |path| {
                fs::write(path, text).map_err(Error::io("write", path))
            })
            .unwrap()
    }

    #[test]
    fn keys_depend_on_every_input_and_its_name() {
        let keys = [
            Key::new("a").with("x", "1").with("y", "2"),
            Key::new("a").with("x", "12").with("y", ""),
            Key::new("a").with("x1", "").with("y", "2"),
            Key::new("b").with("x", "1").with("y", "2"),
            Key::new("a").with("y", "2").with("x", "1"),
        ]
        .map(|key| key.hex());
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(Key::new("a").hex(), Key::new("a").hex());
    }

    #[test]
    fn made_once_then_reused() {
        let (_dir, cache) = cache();
        let first = put(&cache, "one");
        assert!(!first.reused);
        assert_eq!(first.sha256, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
        let second = put(&cache, "two");
        assert!(second.reused);
        assert_eq!(fs::read_to_string(&second.path).unwrap(), "one");
        let third = put(&cache.clone().fresh(true), "two");
        assert!(!third.reused);
        assert_eq!(fs::read_to_string(&third.path).unwrap(), "two");
        assert!(put(&cache, "three").reused);
    }

    #[test]
    fn damaged_part_is_made_again() {
        let (_dir, cache) = cache();
        let entry = put(&cache, "whole");
        fs::write(&entry.path, "who").unwrap();
        let again = put(&cache, "whole");
        assert!(!again.reused);
        assert_eq!(again.sha256, entry.sha256);
    }

    #[test]
    fn failed_build_leaves_nothing() {
        let (_dir, cache) = cache();
        let key = Key::new("test/1");
        let result = cache.file(Shelf::Parts, "part", ".txt", &key, |path| {
            fs::write(path, "half").unwrap();
            Err(Error::DiskFull { path: path.to_owned() })
        });
        assert!(matches!(result, Err(Error::DiskFull { .. })));
        let left: Vec<_> =
            walk(cache.dir()).into_iter().filter(|path| path.extension() != Some("lock")).collect();
        assert!(left.is_empty(), "{left:?}");
        let result = cache.file(Shelf::Parts, "part", ".txt", &key, |_| Ok(()));
        assert!(matches!(result, Err(Error::Missing { .. })));
    }

    #[test]
    fn killed_builds_are_swept_and_running_ones_are_not() {
        let (_dir, cache) = cache();
        let running = cache.workspace().unwrap();
        let killed = cache.dir().join("work/killed");
        fs::create_dir_all(&killed).unwrap();
        fs::write(killed.join("half"), "half").unwrap();
        fs::write(lock_of(&killed), "").unwrap();
        let other = cache.workspace().unwrap();
        assert!(!killed.exists());
        assert!(running.path().exists() && other.path().exists());
        let path = running.path().to_owned();
        drop(running);
        assert!(!path.exists() && !lock_of(&path).exists());
    }

    #[test]
    fn link_points_to_the_newest() {
        let (_dir, cache) = cache();
        let make = |text: &'static str| {
            let key = Key::new("image/1").with("text", text);
            let entry = cache
                .file(Shelf::Images, "tiny", ".qcow2", &key, |path| {
                    fs::write(path, text).map_err(Error::io("write", path))
                })
                .unwrap();
            cache.point("tiny.qcow2", &entry).unwrap()
        };
        let link = make("one");
        assert_eq!(fs::read_to_string(&link).unwrap(), "one");
        assert_eq!(make("two"), link);
        assert_eq!(fs::read_to_string(&link).unwrap(), "two");
    }

    fn walk(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
        let mut found = Vec::new();
        for entry in dir.read_dir_utf8().unwrap().flatten() {
            if entry.path().is_dir() {
                found.extend(walk(entry.path()));
            } else {
                found.push(entry.path().to_owned());
            }
        }
        found
    }
}
