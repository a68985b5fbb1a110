//! The Fernet key repository: a directory of numbered files, as Keystone's own.
//!
//! ```text
//! 0        staged: decrypts only, becomes primary with the next rotation (so that other replicas know it before)
//! n (max)  primary: encrypts
//! others   secondary: decrypt only, until they are pruned
//! ```

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use fernet::{Fernet, MultiFernet};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the key repository at {path}; check that the directory belongs to this user")]
    Io {
        path: Utf8PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "key file {path} does not hold a Fernet key; restore it from a backup, or remove it and every token issued \
         with it ends"
    )]
    BadKey { path: Utf8PathBuf },
}

impl From<Error> for base::Error {
    fn from(error: Error) -> Self {
        base::Error::internal(error)
    }
}

pub struct KeyRepository {
    dir: Utf8PathBuf,
    /// How many keys are kept, staged and primary included.
    max_active: usize,
    fernet: RwLock<MultiFernet>,
    /// When the directory changed last, as far as is known.
    changed: Mutex<Option<SystemTime>>,
}

impl KeyRepository {
    /// Opens the directory; makes it, a primary and a staged key when they are missing.
    pub fn open(dir: &Utf8Path, max_active: usize) -> Result<Self, Error> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io(dir))?;
        let keys = read(dir)?;
        if keys.keys().all(|n| *n == 0) {
            write(dir, 1, &Fernet::generate_key())?;
        }
        if !keys.contains_key(&0) {
            write(dir, 0, &Fernet::generate_key())?;
        }
        let changed = Mutex::new(changed(dir)?);
        Ok(KeyRepository {
            dir: dir.to_owned(),
            max_active: max_active.max(2),
            fernet: RwLock::new(load(dir)?),
            changed,
        })
    }

    /// Reads the keys again when another process has rotated them. A look at the directory, else nothing.
    pub fn keep_up(&self) -> Result<(), Error> {
        let now = changed(&self.dir)?;
        let mut known = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != now {
            *self.fernet.write().unwrap_or_else(PoisonError::into_inner) = load(&self.dir)?;
            *known = now;
        }
        Ok(())
    }

    /// Promotes the staged key, stages a new one, and forgets the oldest beyond the limit.
    pub fn rotate(&self) -> Result<(), Error> {
        let mut keys = read(&self.dir)?;
        let next = keys.keys().max().copied().unwrap_or(0) + 1;
        let (from, to) = (self.dir.join("0"), self.dir.join(next.to_string()));
        std::fs::rename(&from, &to).map_err(io(&from))?;
        keys.insert(next, String::new());
        write(&self.dir, 0, &Fernet::generate_key())?;
        let secondaries: Vec<u64> = keys.keys().copied().filter(|n| *n != 0).collect();
        let surplus = (secondaries.len() + 1).saturating_sub(self.max_active);
        for number in &secondaries[..surplus] {
            let path = self.dir.join(number.to_string());
            std::fs::remove_file(&path).map_err(io(&path))?;
        }
        *self.fernet.write().unwrap_or_else(PoisonError::into_inner) = load(&self.dir)?;
        Ok(())
    }

    /// For a rotation that would forget a key: how long ago that key made its last data. None: it would forget none.
    pub fn oldest_ended(&self, now: SystemTime) -> Result<Option<Duration>, Error> {
        if read(&self.dir)?.len() < self.max_active {
            return Ok(None);
        }
        // The staged key was made by the rotation that ended the oldest key's time as primary.
        let path = self.dir.join("0");
        let rotated = std::fs::metadata(&path).and_then(|m| m.modified()).map_err(io(&path))?;
        Ok(Some(now.duration_since(rotated).unwrap_or_default()))
    }

    pub fn encrypt(&self, data: &[u8]) -> String {
        self.fernet.read().unwrap_or_else(PoisonError::into_inner).encrypt(data)
    }

    pub fn decrypt(&self, token: &str) -> Option<Vec<u8>> {
        self.fernet.read().unwrap_or_else(PoisonError::into_inner).decrypt(token).ok()
    }
}

fn io(path: &Utf8Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

fn changed(dir: &Utf8Path) -> Result<Option<SystemTime>, Error> {
    // Some file systems do not know; then only a restart takes notice.
    Ok(std::fs::metadata(dir).map_err(io(dir))?.modified().ok())
}

fn read(dir: &Utf8Path) -> Result<BTreeMap<u64, String>, Error> {
    let mut keys = BTreeMap::new();
    for entry in dir.read_dir_utf8().map_err(io(dir))? {
        let entry = entry.map_err(io(dir))?;
        if let Ok(number) = entry.file_name().parse() {
            let key = std::fs::read_to_string(entry.path()).map_err(io(entry.path()))?;
            keys.insert(number, key.trim().to_owned());
        }
    }
    Ok(keys)
}

/// Primary first: that one encrypts.
fn load(dir: &Utf8Path) -> Result<MultiFernet, Error> {
    let mut fernets = Vec::new();
    for (number, key) in read(dir)?.iter().rev() {
        let path = dir.join(number.to_string());
        fernets.push(Fernet::new(key).ok_or(Error::BadKey { path })?);
    }
    Ok(MultiFernet::new(fernets))
}

/// Whole or not at all: a half-written key would end every token at the next start.
fn write(dir: &Utf8Path, number: u64, key: &str) -> Result<(), Error> {
    let (temporary, path) = (dir.join(format!(".{number}.new")), dir.join(number.to_string()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(io(&temporary))?;
    file.write_all(key.as_bytes()).and_then(|()| file.sync_all()).map_err(io(&temporary))?;
    std::fs::rename(&temporary, &path).map_err(io(&path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn dir() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("keys")).unwrap();
        (dir, path)
    }

    #[test]
    fn a_token_outlives_rotations_until_its_key_is_pruned() {
        let (_guard, path) = dir();
        let keys = KeyRepository::open(&path, 3).unwrap();
        let token = keys.encrypt(b"hello");
        keys.rotate().unwrap();
        assert_eq!(keys.decrypt(&token).as_deref(), Some(&b"hello"[..]));
        assert_eq!(KeyRepository::open(&path, 3).unwrap().decrypt(&token).as_deref(), Some(&b"hello"[..]));
        keys.rotate().unwrap();
        assert_eq!(keys.decrypt(&token), None);
        assert_eq!(read(&path).unwrap().keys().copied().collect::<Vec<_>>(), [0, 2, 3]);
    }

    #[test]
    fn only_a_rotation_that_forgets_a_key_tells_its_age() {
        let (_guard, path) = dir();
        let keys = KeyRepository::open(&path, 3).unwrap();
        let now = SystemTime::now();
        assert_eq!(keys.oldest_ended(now).unwrap(), None);
        keys.rotate().unwrap();
        let hour = Duration::from_secs(3600);
        let age = keys.oldest_ended(now + hour).unwrap().unwrap();
        assert!(age.abs_diff(hour) < Duration::from_secs(60), "{age:?}");
    }

    #[test]
    fn another_process_rotates() {
        let (_guard, path) = dir();
        let keys = KeyRepository::open(&path, 3).unwrap();
        let other = KeyRepository::open(&path, 3).unwrap();
        other.rotate().unwrap();
        other.rotate().unwrap();
        let token = other.encrypt(b"new");
        assert_eq!(keys.decrypt(&token), None);
        keys.keep_up().unwrap();
        assert_eq!(keys.decrypt(&token).as_deref(), Some(&b"new"[..]));
    }

    #[test]
    fn files_are_private_and_a_broken_one_is_told() {
        let (_guard, path) = dir();
        KeyRepository::open(&path, 3).unwrap();
        let mode = |p: &Utf8Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("0")), mode(&path.join("1"))), (0o700, 0o600, 0o600));
        std::fs::write(path.join("1"), "nonsense").unwrap();
        let error = KeyRepository::open(&path, 3).err().unwrap().to_string();
        assert!(error.contains("keys/1"), "{error}");
    }
}
