//! The user's clouds.yaml: one entry of ours is put in or taken out, every other line stays as it is.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};
use serde_norway::Value;

pub fn default_path() -> anyhow::Result<Utf8PathBuf> {
    let base = match std::env::var("XDG_CONFIG_HOME") {
        Ok(dir) if !dir.is_empty() => dir.into(),
        _ => crate::config::home()?.join(".config"),
    };
    Ok(base.join("openstack/clouds.yaml"))
}

/// A user, who is the only one of a project of the same name.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What clients call it: `--os-cloud NAME`.
    pub name: String,
    pub user: &'static str,
    pub password: String,
    pub auth_url: String,
    pub region: String,
    /// Whom to trust.
    pub cacert: Option<Utf8PathBuf>,
}

impl Entry {
    /// Indented to stand below `clouds:`.
    fn lines(&self) -> anyhow::Result<String> {
        let Entry { name, user, password, auth_url, .. } = self;
        let scalar = |text: &str| serde_norway::to_string(text).map(|yaml| yaml.trim_end().to_owned());
        let region = scalar(&self.region)?;
        let mut lines = format!(
            "  {name}:\n    auth:\n      auth_url: {auth_url}\n      username: {user}\n      password: {password}\n      \
             project_name: {user}\n      user_domain_name: Default\n      project_domain_name: Default\n    \
             region_name: {region}\n    identity_api_version: 3\n"
        );
        if let Some(path) = &self.cacert {
            lines.push_str(&format!("    cacert: {}\n", scalar(path.as_str())?));
        }
        Ok(lines)
    }
}

/// Puts `entry` in, replacing an older one of the same name. The file is 0600 afterwards. Answers the directories that
/// had to be made.
pub fn put(path: &Utf8Path, entry: &Entry) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let missing: Vec<Utf8PathBuf> =
        path.ancestors().skip(1).take_while(|dir| !dir.exists()).map(Utf8Path::to_owned).collect();
    let old = read(path)?;
    let new = merged(&old, &entry.name, Some(&entry.lines()?))
        .with_context(|| format!("{path} was left as it is"))?;
    write(path, &new)?;
    Ok(missing)
}

/// Takes the entry out again; the file goes when nothing is left in it.
pub fn remove(path: &Utf8Path, name: &str) -> anyhow::Result<()> {
    let old = read(path)?;
    if old.is_empty() {
        return Ok(());
    }
    let new = merged(&old, name, None).with_context(|| format!("{path} was left as it is"))?;
    if new.trim() == "clouds:" {
        std::fs::remove_file(path).with_context(|| format!("cannot remove {path}"))
    } else if new != old {
        write(path, &new)
    } else {
        Ok(())
    }
}

/// Is the entry of that name the cloud with this password? Another cloud on this machine may have taken the name since.
pub fn is_of(path: &Utf8Path, name: &str, password: &str) -> anyhow::Result<bool> {
    let file: Value = serde_norway::from_str(&read(path)?).with_context(|| format!("{path} is not YAML"))?;
    let found = file.get("clouds").and_then(|c| c.get(name)).and_then(|c| c.get("auth")?.get("password"));
    Ok(found.and_then(Value::as_str) == Some(password))
}

fn read(path: &Utf8Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other.with_context(|| format!("cannot read {path}")),
    }
}

fn write(path: &Utf8Path, text: &str) -> anyhow::Result<()> {
    let dir = path.parent().context("clouds.yaml has no directory")?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {dir}"))?;
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(|| format!("cannot write in {dir}"))?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).with_context(|| format!("cannot replace {path}"))?;
    Ok(())
}

/// Works on lines, so that comments and order survive, and then proves on the parsed values that nothing else changed.
fn merged(old: &str, name: &str, entry: Option<&str>) -> anyhow::Result<String> {
    let mut lines: Vec<&str> = old.lines().collect();
    let root = lines.iter().position(|l| l.trim_end() == "clouds:");
    let text = match root {
        None if entry.is_none() => old.to_owned(),
        None => format!(
            "{old}{}clouds:\n{}",
            if old.is_empty() || old.ends_with('\n') { "" } else { "\n" },
            entry.unwrap_or_default()
        ),
        Some(root) => {
            let header = format!("{name}:");
            let indent = |l: &str| l.len() - l.trim_start().len();
            let start = (root + 1..lines.len())
                .take_while(|&i| lines[i].trim().is_empty() || lines[i].starts_with([' ', '#']))
                .find(|&i| lines[i].trim_end().trim_start() == header && indent(lines[i]) > 0);
            let at = match start {
                None => root + 1,
                Some(start) => {
                    let depth = indent(lines[start]);
                    let length = lines[start + 1..]
                        .iter()
                        .take_while(|l| !l.trim().is_empty() && indent(l) > depth)
                        .count();
                    lines.drain(start..=start + length);
                    start
                }
            };
            // Siblings may be indented by another width than ours.
            let width = lines[root + 1..]
                .iter()
                .find(|l| !l.trim().is_empty() && l.starts_with(' '))
                .map_or(2, |l| indent(l));
            let mut out = lines[..at].join("\n");
            out.push('\n');
            for line in entry.unwrap_or_default().lines() {
                out.push_str(&" ".repeat(width.saturating_sub(2)));
                out.push_str(line);
                out.push('\n');
            }
            for line in &lines[at..] {
                out.push_str(line);
                out.push('\n');
            }
            out
        }
    };
    anyhow::ensure!(
        others(old, name)? == others(&text, name)?,
        "it is laid out in a way that cannot be changed line by line; add the cloud by hand (`cumulet env` prints it)"
    );
    Ok(text)
}

/// The file as values, without the named cloud.
fn others(text: &str, name: &str) -> anyhow::Result<Value> {
    let mut value: Value = serde_norway::from_str(text).context("it is not YAML")?;
    if let Some(clouds) = value.get_mut("clouds").and_then(Value::as_mapping_mut) {
        clouds.remove(name);
        if clouds.is_empty()
            && let Some(root) = value.as_mapping_mut()
        {
            root.remove("clouds");
        }
    } else if let Some(root) = value.as_mapping_mut()
        && root.get("clouds").is_some_and(Value::is_null)
    {
        root.remove("clouds");
    }
    match &value {
        Value::Mapping(m) if m.is_empty() => Ok(Value::Null),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: &str = "# mine\nclouds:\n    work: # the big one\n        auth:\n            auth_url: https://w\n    home:\n        region_name: x\ncache:\n  max_age: 5\n";

    fn entry(url: &str) -> Entry {
        Entry {
            name: "cumulet".into(),
            user: "admin",
            password: "secret".into(),
            auth_url: url.into(),
            region: "RegionOne".into(),
            cacert: Some("/a dir/ca: 1.pem".into()),
        }
    }

    fn ours(url: &str) -> String {
        entry(url).lines().unwrap()
    }

    #[test]
    fn paths_with_odd_letters_are_read_back() {
        let text = format!("clouds:\n{}", ours("http://a"));
        let file: Value = serde_norway::from_str(&text).unwrap();
        assert_eq!(file["clouds"]["cumulet"]["cacert"].as_str(), Some("/a dir/ca: 1.pem"), "{text}");
    }

    #[test]
    fn an_entry_comes_changes_and_goes_and_the_rest_stays() {
        let with = merged(OTHERS, "cumulet", Some(&ours("http://a"))).unwrap();
        assert!(with.contains("# the big one") && with.contains("    cumulet:\n      auth:"), "{with}");
        let changed = merged(&with, "cumulet", Some(&ours("http://b"))).unwrap();
        assert!(changed.contains("http://b") && !changed.contains("http://a"));
        assert_eq!(merged(&changed, "cumulet", None).unwrap(), OTHERS);
    }

    #[test]
    fn a_new_file_is_made_and_gone_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("openstack/clouds.yaml")).unwrap();
        assert_eq!(put(&path, &entry("http://a")).unwrap(), [path.parent().unwrap()]);
        assert!(put(&path, &entry("http://a")).unwrap().is_empty());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(is_of(&path, "cumulet", "secret").unwrap() && !is_of(&path, "cumulet", "other").unwrap());
        remove(&path, "cumulet").unwrap();
        assert!(!path.exists());
        remove(&path, "cumulet").unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_changed_safely_is_left() {
        for odd in ["clouds: {work: {region_name: x}}\n", "[1, 2", "clouds:\n\twork: x\n"] {
            assert!(merged(odd, "cumulet", Some(&ours("http://a"))).is_err(), "{odd}");
        }
    }
}
