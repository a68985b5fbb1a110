//! The file of settings: TOML, one line for each key.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use camino::Utf8PathBuf;

use super::keys::{self, KEYS, Kind};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: Utf8PathBuf,
    pub values: BTreeMap<&'static str, String>,
}

/// The file that was named, or the first of the usual ones that exists.
pub fn open(named: Option<Utf8PathBuf>) -> anyhow::Result<Option<File>> {
    let path = match named {
        Some(path) => path,
        None => match usual().into_iter().find(|path| path.exists()) {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read the settings {path}"))?;
    let values = parse(&text).with_context(|| format!("the settings {path} are refused"))?;
    Ok(Some(File { path, values }))
}

fn usual() -> Vec<Utf8PathBuf> {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let own = var("XDG_CONFIG_HOME")
        .map(Utf8PathBuf::from)
        .or_else(|| var("HOME").map(|home| Utf8PathBuf::from(home).join(".config")));
    own.map(|dir| dir.join("cumulet/config.toml"))
        .into_iter()
        .chain(["/etc/cumulet/config.toml".into()])
        .collect()
}

pub fn parse(text: &str) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let table: toml::Table =
        text.parse().map_err(|e: toml::de::Error| anyhow::anyhow!("{}", e.to_string().trim()))?;
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let Some(key) = KEYS.iter().find(|key| key.file_name() == name) else {
            bail!("`{name}` is not a setting: {}", hint(&name));
        };
        let text = match (key.kind, value) {
            (Kind::Switch, toml::Value::Boolean(on)) => on.to_string(),
            (Kind::Switch, _) => bail!("`{name}` must be true or false, without quotes"),
            (Kind::Mebibytes, toml::Value::Integer(number)) => number.to_string(),
            (Kind::Mebibytes, _) => bail!("`{name}` must be a number, without quotes"),
            (_, toml::Value::String(text)) => text,
            _ => bail!("`{name}` must be a text in quotes"),
        };
        ensure!(
            key.kind.check(&text).is_ok(),
            "`{name} = {text:?}`: {}",
            key.kind.check(&text).err().unwrap_or_default()
        );
        values.insert(key.name, text);
    }
    Ok(values)
}

/// What somebody who wrote `name` may have meant.
fn hint(name: &str) -> String {
    let flat = name.replace('-', "_").to_lowercase();
    let nearest = KEYS.iter().map(|key| (distance(&flat, &key.file_name()), key.file_name())).min();
    match nearest {
        Some((far, key)) if far <= key.len() / 2 => format!("did you mean `{key}`?"),
        _ => {
            let all: Vec<String> = KEYS.iter().map(keys::Key::file_name).collect();
            format!("there are {}", all.join(", "))
        }
    }
}

/// Levenshtein's: letters to add, drop or change.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_of_each_kind_of_value() {
        let values =
            parse("name = 'ci'\nsimulate = true\nlog_size = 16\nlisten = '127.0.0.1:5005' # ours\n").unwrap();
        let expected =
            [("listen", "127.0.0.1:5005"), ("log-size", "16"), ("name", "ci"), ("simulate", "true")];
        assert_eq!(values.into_iter().collect::<Vec<_>>(), expected.map(|(k, v)| (k, v.to_owned())));
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest() {
        assert!(refusal("data_dri = '/x'").ends_with("did you mean `data_dir`?"));
        assert!(refusal("external-cidr = '10.0.0.0/24'").ends_with("did you mean `external_cidr`?"));
        assert!(refusal("[tls]\ncert = 'x'").contains("`tls` must be true or false"));
        assert!(refusal("zzzzzzzzzzzz = 1").contains("there are name, data_dir,"));
    }

    #[test]
    fn values_of_another_kind_are_refused() {
        assert!(refusal("simulate = 'yes'").contains("without quotes"));
        assert!(refusal("log_size = 0").contains("1 or more"));
        assert!(refusal("listen = 5000").contains("a text in quotes"));
        assert!(refusal("listen = 'nowhere'").contains("as in 127.0.0.1:5000"));
        assert!(refusal("name = ").contains("line 1"), "{}", refusal("name = "));
    }
}
