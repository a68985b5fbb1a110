//! The user's kubeconfig: our context is put in and taken out, all else stays as it was.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde_norway::{Mapping, Value};

use crate::pki::Pki;
use crate::state::ClusterState;
use crate::{Addon, Error, Result, Wanted, state};

/// By this extension of the `clusters` entry we know our own entries again, as minikube does with its.
const EXTENSION: &str = "cumulet";

/// The file that kubectl writes to: the first of KUBECONFIG, else `~/.kube/config`.
pub(crate) fn path() -> Result<Utf8PathBuf> {
    let variable = std::env::var("KUBECONFIG").unwrap_or_default();
    if let Some(first) = variable.split(':').find(|part| !part.is_empty()) {
        return Ok(first.into());
    }
    let home = std::env::var("HOME").ok().filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| Error::spec("HOME is not set, so there is no place for a kubeconfig"))?;
    Ok(Utf8Path::new(&home).join(".kube/config"))
}

fn user_name(cluster: &str) -> String {
    format!("{cluster}-admin")
}

/// User and context of whoever logs in by the cloud.
fn cloud_user_name(cluster: &str) -> String {
    format!("{cluster}-openstack")
}

/// Every entry that may be ours.
fn names(cluster: &str) -> [(&'static str, String); 5] {
    [
        ("clusters", cluster.to_owned()),
        ("contexts", cluster.to_owned()),
        ("contexts", cloud_user_name(cluster)),
        ("users", user_name(cluster)),
        ("users", cloud_user_name(cluster)),
    ]
}

/// What a cluster's entries say.
pub(crate) struct Entry<'a> {
    pub wanted: &'a Wanted,
    pub pki: &'a Pki,
    pub server: &'a str,
    /// The cloud's Keystone, where its users are users of the cluster.
    pub login: Option<&'a str>,
}

impl<'a> Entry<'a> {
    pub fn of(state: &'a ClusterState, pki: &'a Pki, server: &'a str) -> Self {
        let login = state.auth_url.as_deref();
        let login = login.filter(|_| state.wanted.addons.contains(&Addon::KeystoneAuth));
        Self { wanted: &state.wanted, pki, server, login }
    }
}

/// A kubeconfig with this cluster alone.
pub(crate) fn render(entry: &Entry<'_>) -> Result<String> {
    let file = insert(Mapping::new(), entry);
    serde_norway::to_string(&file)
        .map_err(|error| Error::Internal(format!("rendering a kubeconfig: {error}")))
}

/// Is there a context of this name that is somebody else's? Asked before anything is made.
pub(crate) fn check(path: &Utf8Path, name: &str, uuid: &str) -> Result<()> {
    let file = read(path)?;
    for (list, entry) in names(name) {
        if find(&file, list, &entry).is_some() && owner(&file, name).as_deref() != Some(uuid) {
            return Err(Error::Kubeconfig {
                path: path.to_owned(),
                message: format!("it already has an entry `{entry}` under {list} that is not this cluster's"),
            });
        }
    }
    Ok(())
}

/// Put the cluster in and make it the current context, as kind and minikube do.
pub(crate) fn merge(path: &Utf8Path, entry: &Entry<'_>) -> Result<()> {
    check(path, &entry.wanted.name, &entry.wanted.uuid)?;
    change(path, |file| Some(insert(file, entry)))
}

/// Take the cluster out. Entries of the same name that are another cluster's stay.
pub(crate) fn remove(path: &Utf8Path, name: &str, uuid: &str) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    change(path, |mut file| {
        if owner(&file, name).as_deref() != Some(uuid) {
            return None;
        }
        for (list, entry) in names(name) {
            take(&mut file, list, &entry);
        }
        let current = file.get("current-context").and_then(Value::as_str);
        if current.is_some_and(|current| current == name || current == cloud_user_name(name)) {
            file.insert("current-context".into(), "".into());
        }
        Some(file)
    })
}

fn insert(mut file: Mapping, entry: &Entry<'_>) -> Mapping {
    let Entry { wanted, pki, server, login } = *entry;
    let name = &wanted.name;
    let map = |pairs: Vec<(&str, Value)>| -> Value {
        Value::Mapping(pairs.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
    };
    let extension = map(vec![
        ("name", EXTENSION.into()),
        ("extension", map(vec![("cluster", wanted.uuid.as_str().into())])),
    ]);
    let cluster = map(vec![
        ("server", server.into()),
        ("certificate-authority-data", Pki::base64(&pki.ca_certificate).into()),
        ("extensions", Value::Sequence(vec![extension])),
    ]);
    let user = map(vec![
        ("client-certificate-data", Pki::base64(&pki.admin_certificate).into()),
        ("client-key-data", Pki::base64(&pki.admin_key).into()),
    ]);
    let context = map(vec![("cluster", name.as_str().into()), ("user", user_name(name).into())]);
    file.entry("apiVersion".into()).or_insert("v1".into());
    file.entry("kind".into()).or_insert("Config".into());
    file.entry("preferences".into()).or_insert(map(vec![]));
    let mut made = vec![
        ("clusters", name.clone(), "cluster", cluster),
        ("contexts", name.clone(), "context", context),
        ("users", user_name(name), "user", user),
    ];
    if let Some(url) = login {
        // Who it is, it asks at the terminal, unless OS_* variables say it.
        let exec = map(vec![
            ("apiVersion", "client.authentication.k8s.io/v1beta1".into()),
            ("command", "client-keystone-auth".into()),
            ("args", Value::Sequence(vec![format!("--keystone-url={url}").into()])),
            ("interactiveMode", "IfAvailable".into()),
            (
                "installHint",
                "client-keystone-auth is part of cloud-provider-openstack; `cumulet image build node` builds it".into(),
            ),
        ]);
        let context = map(vec![("cluster", name.as_str().into()), ("user", cloud_user_name(name).into())]);
        made.push(("contexts", cloud_user_name(name), "context", context));
        made.push(("users", cloud_user_name(name), "user", map(vec![("exec", exec)])));
    }
    for (list, entry_name) in names(name) {
        take(&mut file, list, &entry_name);
    }
    for (list, entry_name, kind, body) in made {
        let entry = map(vec![("name", entry_name.into()), (kind, body)]);
        // `clusters: null` is what an emptied kubeconfig holds.
        let entries = file.entry(list.into()).or_insert(Value::Null);
        match entries.as_sequence_mut() {
            Some(entries) => entries.push(entry),
            None => *entries = Value::Sequence(vec![entry]),
        }
    }
    file.insert("current-context".into(), name.as_str().into());
    file
}

fn entries<'a>(file: &'a Mapping, list: &str) -> impl Iterator<Item = &'a Value> {
    file.get(list).and_then(Value::as_sequence).into_iter().flatten()
}

fn find<'a>(file: &'a Mapping, list: &str, name: &str) -> Option<&'a Value> {
    entries(file, list).find(|entry| entry["name"].as_str() == Some(name))
}

fn take(file: &mut Mapping, list: &str, name: &str) {
    if let Some(entries) = file.get_mut(list).and_then(Value::as_sequence_mut) {
        entries.retain(|entry| entry["name"].as_str() != Some(name));
    }
}

/// The UUID in our extension of the entry `name`.
fn owner(file: &Mapping, name: &str) -> Option<String> {
    let extensions = find(file, "clusters", name)?["cluster"]["extensions"].as_sequence()?;
    let ours = extensions.iter().find(|extension| extension["name"].as_str() == Some(EXTENSION))?;
    Some(ours["extension"]["cluster"].as_str()?.to_owned())
}

fn read(path: &Utf8Path) -> Result<Mapping> {
    let unusable = |message: String| Error::Kubeconfig { path: path.to_owned(), message };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Mapping::new()),
        Err(source) => return Err(Error::file("read", path, source)),
    };
    if text.trim().is_empty() {
        return Ok(Mapping::new());
    }
    serde_norway::from_str(&text).map_err(|error| unusable(format!("it is not YAML with a mapping: {error}")))
}

/// Read, change and rename into place, under the lock file that kubectl takes too.
fn change(path: &Utf8Path, edit: impl FnOnce(Mapping) -> Option<Mapping>) -> Result<()> {
    let dir = path.parent().unwrap_or(Utf8Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(dir)
        .map_err(|source| Error::file("create", dir, source))?;
    let _lock = FileLock::take(path)?;
    let Some(changed) = edit(read(path)?) else { return Ok(()) };
    let text = serde_norway::to_string(&changed)
        .map_err(|error| Error::Internal(format!("rendering a kubeconfig: {error}")))?;
    // A kubeconfig is often a link into a dotfiles repository: write what it points to.
    let target = fs::canonicalize(path).ok().and_then(|target| Utf8PathBuf::from_path_buf(target).ok());
    state::write(target.as_deref().unwrap_or(path), text.as_bytes())
}

struct FileLock(Utf8PathBuf);

impl FileLock {
    fn take(path: &Utf8Path) -> Result<Self> {
        let lock = Utf8PathBuf::from(format!("{path}.lock"));
        for _ in 0..50 {
            match fs::OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(source) => return Err(Error::file("create", &lock, source)),
            }
        }
        let message = format!("another program holds {lock}; delete that file if none does");
        Err(Error::Kubeconfig { path: path.to_owned(), message })
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0, %error, "the kubeconfig's lock file stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;
    use std::os::unix::fs::PermissionsExt as _;

    const OTHERS: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: work\n  cluster:\n    server: https://work:6443\n\
        contexts:\n- name: work\n  context:\n    cluster: work\n    user: me\nusers:\n- name: me\n  user:\n    token: t\n\
        current-context: work\nmine: kept\n";

    fn pki() -> Pki {
        let pem = |text: &str| format!("pem of {text}\n");
        Pki {
            ca_certificate: pem("ca"),
            ca_key: pem("ca key"),
            admin_certificate: pem("admin"),
            admin_key: pem("admin key"),
            admin_until: None,
            ca_hash: String::new(),
            webhook_certificate: String::new(),
            webhook_key: String::new(),
        }
    }

    fn put(path: &Utf8Path, server: &str) -> Result<()> {
        merge(path, &Entry { wanted: &sample::wanted(1), pki: &pki(), server, login: None })
    }

    fn file(text: Option<&str>) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("kube/config")).unwrap();
        if let Some(text) = text {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        (dir, path)
    }

    #[test]
    fn into_nothing() {
        let (_dir, path) = file(None);
        put(&path, "https://172.24.4.7:6443").unwrap();
        insta::assert_snapshot!(fs::read_to_string(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!Utf8PathBuf::from(format!("{path}.lock")).exists());
    }

    #[test]
    fn beside_others_and_out_again() {
        let (_dir, path) = file(Some(OTHERS));
        let wanted = sample::wanted(1);
        put(&path, "https://172.24.4.7:6443").unwrap();
        let merged = read(&path).unwrap();
        assert!(find(&merged, "users", "me").is_some() && find(&merged, "users", "demo-admin").is_some());
        assert_eq!(merged["current-context"].as_str(), Some("demo"));
        // Twice is once, and the newest wins.
        put(&path, "https://172.24.4.8:6443").unwrap();
        let again = read(&path).unwrap();
        assert_eq!(entries(&again, "clusters").count(), 2);
        assert_eq!(
            find(&again, "clusters", "demo").unwrap()["cluster"]["server"].as_str(),
            Some("https://172.24.4.8:6443")
        );
        remove(&path, "demo", &wanted.uuid).unwrap();
        let mut left = read(&path).unwrap();
        assert_eq!(left["current-context"].as_str(), Some(""));
        left.insert("current-context".into(), "work".into());
        left.remove("preferences");
        assert_eq!(left, serde_norway::from_str::<Mapping>(OTHERS).unwrap());
    }

    #[test]
    fn anothers_entry_is_neither_overwritten_nor_removed() {
        let (_dir, path) = file(Some(&OTHERS.replace("work", "demo")));
        let wanted = sample::wanted(1);
        let before = fs::read_to_string(&path).unwrap();
        let error = put(&path, "https://172.24.4.7:6443").unwrap_err();
        assert!(error.to_string().contains("`demo` under clusters"), "{error}");
        remove(&path, "demo", &wanted.uuid).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn what_is_not_a_kubeconfig_is_left_alone() {
        let (_dir, path) = file(Some("- a\n- list\n"));
        assert!(matches!(put(&path, "https://172.24.4.7:6443"), Err(Error::Kubeconfig { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "- a\n- list\n");
    }

    #[test]
    fn a_link_stays_a_link() {
        let (dir, path) = file(Some(OTHERS));
        let link = Utf8PathBuf::from_path_buf(dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        put(&link, "https://172.24.4.7:6443").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(find(&read(&path).unwrap(), "clusters", "demo").is_some());
    }

    #[test]
    fn users_of_the_cloud_log_in_by_it() {
        let (_dir, path) = file(Some(OTHERS));
        let wanted = sample::wanted(1);
        let login = Some("http://172.24.4.1:5000/v3");
        merge(&path, &Entry { wanted: &wanted, pki: &pki(), server: "https://172.24.4.7:6443", login })
            .unwrap();
        let merged = read(&path).unwrap();
        let user = find(&merged, "users", "demo-openstack").unwrap();
        assert_eq!(user["user"]["exec"]["command"].as_str(), Some("client-keystone-auth"));
        assert_eq!(
            user["user"]["exec"]["args"][0].as_str(),
            Some("--keystone-url=http://172.24.4.1:5000/v3")
        );
        assert!(find(&merged, "contexts", "demo-openstack").is_some());
        remove(&path, "demo", &wanted.uuid).unwrap();
        let left = read(&path).unwrap();
        assert!(find(&left, "users", "demo-openstack").is_none());
        assert!(find(&left, "contexts", "demo-openstack").is_none());
    }
}
