//! The one directory of a cloud.

use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};

#[derive(Debug, Clone)]
pub struct DataDir(pub Utf8PathBuf);

impl DataDir {
    pub fn path(&self) -> &Utf8Path {
        &self.0
    }

    pub fn database(&self) -> Utf8PathBuf {
        self.0.join("cumulet.db")
    }

    pub fn images(&self) -> Utf8PathBuf {
        self.0.join("images")
    }

    pub fn volumes(&self) -> Utf8PathBuf {
        self.path().join("volumes")
    }

    /// A directory for each load balancer.
    pub fn balancers(&self) -> Utf8PathBuf {
        self.0.join("balancers")
    }

    pub fn keys(&self) -> Utf8PathBuf {
        self.0.join("keys")
    }

    /// What the key manager's secrets are encrypted under.
    pub fn secrets_key(&self) -> Utf8PathBuf {
        self.0.join("secrets.key")
    }

    /// Lines of JSON; older ones in `cumulet.log.1` and so on.
    pub fn log(&self) -> Utf8PathBuf {
        self.0.join("cumulet.log")
    }

    /// What the daemon in the background said outside its log: an error at the start, a panic.
    pub fn last_words(&self) -> Utf8PathBuf {
        self.0.join("cumulet.stderr")
    }

    pub fn lock(&self) -> Utf8PathBuf {
        self.0.join("cumulet.pid")
    }

    /// Of the one that writes an archive of it.
    pub fn backup_lock(&self) -> Utf8PathBuf {
        self.0.join("backup.pid")
    }

    /// What the running daemon says of itself; removed when it ends in good order.
    pub fn state(&self) -> Utf8PathBuf {
        self.0.join("state.json")
    }

    /// What was decided at the first start.
    pub fn identity(&self) -> Utf8PathBuf {
        self.0.join("cloud.json")
    }

    /// What of this machine, outside of this directory, is the cloud's.
    pub fn ledger(&self) -> Utf8PathBuf {
        self.0.join("ledger")
    }

    pub fn tls(&self) -> Utf8PathBuf {
        self.0.join("tls")
    }

    pub fn control_socket(&self) -> Utf8PathBuf {
        self.0.join("control.sock")
    }

    /// 0600; made at the first start.
    pub fn password(&self) -> Utf8PathBuf {
        self.0.join("admin-password")
    }

    /// The same of the user `demo`.
    pub fn demo_password(&self) -> Utf8PathBuf {
        self.0.join("demo-password")
    }

    pub fn read_password(&self) -> anyhow::Result<String> {
        let path = self.password();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {path}: run `cumulet up` first, or pass its --data-dir"))?;
        Ok(text.trim().to_owned())
    }

    /// None: this cloud has no demo project.
    pub fn read_demo_password(&self) -> Option<String> {
        Some(std::fs::read_to_string(self.demo_password()).ok()?.trim().to_owned())
    }
}
