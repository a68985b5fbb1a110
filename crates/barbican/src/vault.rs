//! Payloads at rest: each project has a key of its own, which is encrypted under the cloud's key file.
//!
//! The database alone opens nothing. Ciphers are Fernet tokens (AES-128-CBC and HMAC-SHA256), as of Barbican's own
//! `simple_crypto`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use base::Error;
use camino::{Utf8Path, Utf8PathBuf};
use db::{AnyConnection, Tx, sql};
use fernet::Fernet;

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("cannot use the key file {path}; check that it belongs to this user")]
    Io {
        path: Utf8PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} does not hold a Fernet key; restore it from a backup: without it no secret can be read")]
    NoKey { path: Utf8PathBuf },
    #[error(
        "the keys of project {project} are not encrypted under this cloud's key file; restore it from a backup"
    )]
    ForeignKey { project: String },
    #[error(
        "{path} is missing; restore it from a backup: without it the secrets of this cloud cannot be read"
    )]
    Lost { path: Utf8PathBuf },
    #[error("a payload of project {project} cannot be decrypted")]
    Damaged { project: String },
}

pub struct Vault {
    master: Fernet,
}

impl Vault {
    /// The key file is made with the cloud; where keys of projects are encrypted under it, it has to be that one.
    pub async fn open(conn: &mut AnyConnection, path: &Utf8Path) -> Result<Self, Error> {
        let io = |source| Error::internal(Broken::Io { path: path.to_owned(), source });
        let wrapped: Option<(String, String)> =
            sql("SELECT project_id, wrapped FROM secret_project_key ORDER BY project_id LIMIT 1")
                .optional(conn)
                .await?;
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && wrapped.is_none() => {
                make(path).map_err(io)?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::internal(Broken::Lost { path: path.to_owned() }));
            }
            Err(e) => return Err(io(e)),
        };
        let master = Fernet::new(text.trim())
            .ok_or_else(|| Error::internal(Broken::NoKey { path: path.to_owned() }))?;
        let vault = Vault { master };
        if let Some((project, wrapped)) = wrapped {
            vault.unwrap(&project, &wrapped)?;
        }
        Ok(vault)
    }

    /// Under the project's key, which is made with its first secret.
    pub async fn encrypt(&self, tx: &mut Tx, project: &str, payload: &[u8]) -> Result<String, Error> {
        let key = match self.key(tx, project).await? {
            Some(key) => key,
            None => {
                let key = Fernet::generate_key();
                sql("INSERT INTO secret_project_key (project_id, wrapped) VALUES ($1, $2)")
                    .bind(project)
                    .bind(self.master.encrypt(key.as_bytes()))
                    .run(tx)
                    .await?;
                usable(&key, project)?
            }
        };
        Ok(key.encrypt(payload))
    }

    pub async fn decrypt(
        &self,
        conn: &mut AnyConnection,
        project: &str,
        cipher: &str,
    ) -> Result<Vec<u8>, Error> {
        let key = self.key(conn, project).await?;
        let payload = key.and_then(|key| key.decrypt(cipher).ok());
        payload.ok_or_else(|| Error::internal(Broken::Damaged { project: project.into() }))
    }

    async fn key(&self, conn: &mut AnyConnection, project: &str) -> Result<Option<Fernet>, Error> {
        let wrapped: Option<String> = sql("SELECT wrapped FROM secret_project_key WHERE project_id = $1")
            .bind(project)
            .optional(conn)
            .await?;
        wrapped.map(|wrapped| self.unwrap(project, &wrapped)).transpose()
    }

    fn unwrap(&self, project: &str, wrapped: &str) -> Result<Fernet, Error> {
        let foreign = || Error::internal(Broken::ForeignKey { project: project.into() });
        let key = self.master.decrypt(wrapped).map_err(|_| foreign())?;
        let key = String::from_utf8(key).map_err(|_| foreign())?;
        usable(&key, project)
    }
}

fn make(path: &Utf8Path) -> std::io::Result<String> {
    let key = Fernet::generate_key();
    // Whole or not at all: half a key would look like a lost one.
    let part = Utf8PathBuf::from(format!("{path}.part"));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    Ok(key)
}

fn usable(key: &str, project: &str) -> Result<Fernet, Error> {
    Fernet::new(key).ok_or_else(|| Error::internal(Broken::ForeignKey { project: project.into() }))
}
