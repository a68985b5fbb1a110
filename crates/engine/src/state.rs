//! What is kept on this machine: `$XDG_DATA_HOME/cumulet/clusters/<name>/`, for the owner alone.
//!
//! Written, whole files by rename, before the resources that depend on it are made. The cloud says what exists; this
//! holds only what the cloud must not know (keys) or cannot know (what was asked for).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::pki::{self, Pki, Token};
use crate::{Error, Result, Wanted};

const CLUSTER: &str = "cluster.json";
const SECRETS: &str = "secrets.json";
const LOCK: &str = "lock";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Creating,
    Ready,
    Deleting,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Creating => "creating",
            Phase::Ready => "ready",
            Phase::Deleting => "deleting",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    pub phase: Phase,
    /// The entry of clouds.yaml.
    pub cloud: String,
    pub project: String,
    pub created: jiff::Timestamp,
    /// `https://<floating IP>:6443`, once known.
    pub server: Option<String>,
    /// The cloud's Keystone, once known.
    #[serde(default)]
    pub auth_url: Option<String>,
    pub wanted: Wanted,
    /// Volumes that outlive the cluster, because its user said so; known once deletion has begun.
    #[serde(default)]
    pub kept_volumes: BTreeSet<String>,
    /// Floating IPs that were given to its Services and Ingresses, or are to outlive them; known likewise.
    #[serde(default)]
    pub kept_addresses: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub pki: Pki,
    pub token: Token,
    /// By which the cluster's controllers act on the cloud.
    #[serde(default)]
    pub credential: Option<Credential>,
}

/// An application credential of the user's, for one cluster.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub id: String,
    pub secret: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The directory of all clusters.
#[derive(Debug, Clone)]
pub struct Store {
    root: Utf8PathBuf,
}

/// Held while a cluster is worked on; the kernel lets go of it when the process dies, however it dies.
pub(crate) struct Lock {
    _file: fs::File,
}

impl Store {
    #[must_use]
    pub fn at(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// # Errors
    /// Neither XDG_DATA_HOME nor HOME is set.
    pub fn of_user() -> Result<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| value.starts_with('/'));
        let data = variable("XDG_DATA_HOME").map(Utf8PathBuf::from);
        let data = data.or_else(|| variable("HOME").map(|home| Utf8Path::new(&home).join(".local/share")));
        let data =
            data.ok_or_else(|| Error::spec("HOME is not set, so there is no place for the cluster's keys"))?;
        Ok(Self::at(data.join("cumulet/clusters")))
    }

    pub(crate) fn dir(&self, name: &str) -> Utf8PathBuf {
        self.root.join(name)
    }

    pub(crate) fn lock(&self, name: &str) -> Result<Lock> {
        let dir = self.dir(name);
        let failed = |source| Error::file("create", &dir, source);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let path = dir.join(LOCK);
        let open = fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = open.map_err(|source| Error::file("open", &path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Locked { name: name.to_owned() }),
            Err(fs::TryLockError::Error(source)) => Err(Error::file("lock", &path, source)),
        }
    }

    /// # Errors
    /// The file is there and cannot be read.
    pub fn cluster(&self, name: &str) -> Result<Option<ClusterState>> {
        read(&self.dir(name).join(CLUSTER))
    }
    pub(crate) fn save_cluster(&self, state: &ClusterState) -> Result<()> {
        write_json(&self.dir(&state.wanted.name).join(CLUSTER), state)
    }
    pub(crate) fn secrets(&self, name: &str) -> Result<Option<Secrets>> {
        let Some(mut secrets) = read::<Secrets>(&self.dir(name).join(SECRETS))? else { return Ok(None) };
        secrets.pki = secrets.pki.lasting(pki::today())?;
        Ok(Some(secrets))
    }
    pub(crate) fn save_secrets(&self, name: &str, secrets: &Secrets) -> Result<()> {
        write_json(&self.dir(name).join(SECRETS), secrets)
    }

    /// Keep a console's text for a person to read.
    pub(crate) fn save_console(&self, name: &str, node: &str, text: &str) -> Result<Utf8PathBuf> {
        let path = self.dir(name).join(format!("console-{node}.log"));
        write(&path, text.as_bytes())?;
        Ok(path)
    }

    /// # Errors
    /// The directory or a cluster's file cannot be read.
    pub fn clusters(&self) -> Result<Vec<ClusterState>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(Error::file("read", &self.root, source)),
        };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        let mut found = Vec::new();
        for name in names {
            found.extend(self.cluster(&name)?);
        }
        Ok(found)
    }

    /// The last act of a deletion.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let dir = self.dir(name);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|source| Error::file("remove", &dir, source)),
        }
    }

    /// After a failure before anything was decided, no directory stays.
    pub(crate) fn forget_empty(&self, name: &str) -> Result<()> {
        if self.cluster(name)?.is_none() && self.secrets(name)?.is_none() {
            self.remove(name)
        } else {
            Ok(())
        }
    }
}

fn read<T: DeserializeOwned>(path: &Utf8Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::file("read", path, source)),
    };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|error| Error::State { path: path.to_owned(), message: error.to_string() })
}

fn write_json(path: &Utf8Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::Internal(format!("writing {path}: {error}")))?;
    write(path, &text)
}

/// All or nothing, also across a power cut; readable by the owner only.
pub(crate) fn write(path: &Utf8Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Utf8Path::new("/"));
    let attempt = || -> std::io::Result<()> {
        // tempfile makes files of mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(dir)?.sync_all()
    };
    attempt().map_err(|source| Error::file("write", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().join("clusters")).unwrap();
        (dir, Store::at(root))
    }

    fn state() -> ClusterState {
        ClusterState {
            phase: Phase::Creating,
            cloud: "c".into(),
            project: "p".into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            server: None,
            auth_url: None,
            wanted: sample::wanted(2),
            kept_volumes: BTreeSet::new(),
            kept_addresses: Default::default(),
        }
    }

    #[test]
    fn keeps_secrets_from_others() {
        let (_dir, store) = store();
        let _lock = store.lock("demo").unwrap();
        let secrets = Secrets { pki: Pki::generate().unwrap(), token: Token::generate(), credential: None };
        store.save_secrets("demo", &secrets).unwrap();
        store.save_cluster(&state()).unwrap();
        assert_eq!(store.secrets("demo").unwrap().unwrap(), secrets);
        assert_eq!(store.clusters().unwrap(), [state()]);
        let mode = |path: Utf8PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.dir("demo")), 0o700);
        for file in [CLUSTER, SECRETS, LOCK] {
            assert_eq!(mode(store.dir("demo").join(file)), 0o600, "{file}");
        }
        store.remove("demo").unwrap();
        assert!(store.clusters().unwrap().is_empty());
    }

    #[test]
    fn one_worker_at_a_time() {
        let (_dir, store) = store();
        let lock = store.lock("demo").unwrap();
        assert!(matches!(store.lock("demo"), Err(Error::Locked { .. })));
        drop(lock);
        store.lock("demo").unwrap();
    }

    #[test]
    fn nothing_stays_of_a_cluster_that_was_never_begun() {
        let (_dir, store) = store();
        let lock = store.lock("demo").unwrap();
        drop(lock);
        store.forget_empty("demo").unwrap();
        assert!(!store.dir("demo").exists());
    }
}
