//! What can go wrong, each in one sentence that ends with what to do.

use camino::Utf8PathBuf;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Spec(String),

    #[error(transparent)]
    Cloud(#[from] openstack::Error),

    #[error(
        "there is already a {kind} named `{name}` ({id}) in this project that does not belong to the cluster; \
         rename or delete it, or choose another cluster name"
    )]
    Foreign { kind: &'static str, name: String, id: String },

    #[error(
        "cluster `{name}` was begun with other values ({differences}); run the same command again to finish it, or \
         `cumulet cluster delete {name}` to start over"
    )]
    OtherSpec { name: String, differences: String },

    #[error("there is no cluster `{name}` here; `cumulet cluster list` shows those that are")]
    NoCluster { name: String },

    #[error("cluster `{name}` is being worked on by another process; wait for it to end")]
    Locked { name: String },

    #[error("node {node} could not become part of the cluster: {reason}; its console is in {log}")]
    Bootstrap { node: String, reason: String, log: Utf8PathBuf },

    #[error("{what} did not happen within {minutes} min ({last_seen}); {advice}")]
    Timeout { what: String, minutes: u64, last_seen: String, advice: String },

    #[error("the Kubernetes API at {server} refuses {what}: {message}; see `kubectl --context {context}`")]
    Kubernetes { server: String, context: String, what: String, message: String },

    #[error("kubeconfig {path} is not usable: {message}; repair it, or set KUBECONFIG to another file")]
    Kubeconfig { path: Utf8PathBuf, message: String },

    #[error("cannot {action} {path}: {source}; check the permissions and the free space there")]
    File { action: &'static str, path: Utf8PathBuf, source: std::io::Error },

    #[error("{path} does not hold what this version wrote: {message}; move it away if the cluster is gone")]
    State { path: Utf8PathBuf, message: String },

    #[error("cannot make certificates: {0}; this is a defect, please report it")]
    Pki(#[from] rcgen::Error),

    #[error(
        "the start-up data of {node} takes {size} bytes, and clouds accept {limit}; remove SSH keys or registry mirrors"
    )]
    UserData { node: String, size: usize, limit: usize },

    #[error("{0}; this is a defect, please report it")]
    Internal(String),
}

impl Error {
    pub(crate) fn file(action: &'static str, path: &camino::Utf8Path, source: std::io::Error) -> Self {
        Error::File { action, path: path.to_owned(), source }
    }
    pub(crate) fn spec(text: impl Into<String>) -> Self {
        Error::Spec(text.into())
    }
}
