//! Flag before environment before file before what the cloud remembers before default, and where each value came from.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use camino::Utf8PathBuf;

use super::file::File;
use super::given::Given;
use super::keys::KEYS;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Flag,
    Environment,
    File(Utf8PathBuf),
    /// Chosen or told at the first start, and kept in the data directory.
    Cloud,
    Default,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Flag => f.write_str("flag"),
            Source::Environment => f.write_str("environment"),
            Source::File(path) => write!(f, "{path}"),
            Source::Cloud => f.write_str("first start"),
            Source::Default => f.write_str("default"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub source: Source,
}

/// A value for each key that has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<&'static str, Value>);

impl Settings {
    pub fn join(
        given: &Given,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<&File>,
    ) -> anyhow::Result<Settings> {
        let mut values = BTreeMap::new();
        for key in KEYS {
            let told = |text: String, source| Some(Value { text, source });
            let from_environment = || {
                let text = environment(&key.env()).filter(|text| !text.is_empty())?;
                told(text, Source::Environment)
            };
            let from_file = || {
                let file = file?;
                told(file.values.get(key.name)?.clone(), Source::File(file.path.clone()))
            };
            let default = || {
                (!key.default.is_empty()).then(|| Value { text: key.default.into(), source: Source::Default })
            };
            let flag = given.values.get(key.name).cloned().and_then(|text| told(text, Source::Flag));
            let Some(value) = flag.or_else(from_environment).or_else(from_file).or_else(default) else {
                continue;
            };
            // Flags and files were checked where they were read.
            if value.source == Source::Environment {
                key.kind.check(&value.text).map_err(|why| anyhow!("{}={}: {why}", key.env(), value.text))?;
            }
            values.insert(key.name, value);
        }
        Ok(Settings(values))
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| &value.text)
    }

    pub fn on(&self, name: &str) -> bool {
        super::keys::switch(self.text(name)).unwrap_or(false)
    }

    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> anyhow::Result<T> {
        let text = self.text(name);
        text.parse().ok().with_context(|| format!("--{name} {text} has no meaning"))
    }

    /// Nobody told it this time.
    pub fn is_default(&self, name: &str) -> bool {
        self.0.get(name).is_none_or(|value| value.source == Source::Default)
    }

    /// What the cloud remembers counts more than a default.
    pub fn remember(&mut self, name: &'static str, text: String) {
        if self.is_default(name) {
            self.0.insert(name, Value { text, source: Source::Cloud });
        }
    }

    /// A default that depends on something else.
    pub fn fill(&mut self, name: &'static str, text: String) {
        self.0.entry(name).or_insert(Value { text, source: Source::Default });
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        KEYS.iter().filter_map(|key| Some((key.name, self.0.get(key.name)?)))
    }

    /// Flags that make another process with the same environment see the same values.
    pub fn as_flags(&self) -> Vec<String> {
        KEYS.iter()
            .filter(|key| !self.is_default(key.name) || key.name == "data-dir")
            .filter_map(|key| {
                let text = &self.0.get(key.name)?.text;
                Some(format!("--{}={text}", key.name))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[(&'static str, &str)]) -> Given {
        Given { values: values.iter().map(|(k, v)| (*k, (*v).to_owned())).collect(), file: None }
    }

    fn file(values: &[(&'static str, &str)]) -> File {
        File { path: "/etc/c.toml".into(), values: given(values).values }
    }

    #[test]
    fn flag_before_environment_before_file_before_default() {
        let environment = |name: &str| match name {
            "CUMULET_REGION" => Some("of-env".to_owned()),
            "CUMULET_LISTEN" => Some("127.0.0.1:1".to_owned()),
            "CUMULET_ACCEL" => Some(String::new()),
            _ => None,
        };
        let file = file(&[("region", "of-file"), ("log", "debug")]);
        let settings =
            Settings::join(&given(&[("listen", "127.0.0.1:2")]), environment, Some(&file)).unwrap();
        let of = |name: &str| (settings.text(name), settings.get(name).unwrap().source.clone());
        assert_eq!(of("listen"), ("127.0.0.1:2", Source::Flag));
        assert_eq!(of("region"), ("of-env", Source::Environment));
        assert_eq!(of("log"), ("debug", Source::File("/etc/c.toml".into())));
        assert_eq!(of("accel"), ("auto", Source::Default));
        assert_eq!(settings.get("tls-cert"), None);
        assert!(settings.on("demo") && !settings.on("tls"));
    }

    #[test]
    fn what_the_cloud_remembers_yields_to_what_is_told() {
        let mut settings = Settings::join(&given(&[("listen", "127.0.0.1:2")]), |_| None, None).unwrap();
        settings.remember("listen", "127.0.0.1:9".into());
        settings.remember("external-cidr", "172.24.9.0/24".into());
        assert_eq!(settings.text("listen"), "127.0.0.1:2");
        assert_eq!(settings.get("external-cidr").unwrap().source, Source::Cloud);
    }

    #[test]
    fn a_bad_variable_is_named() {
        let error = Settings::join(&given(&[]), |name| (name == "CUMULET_TLS").then(|| "maybe".into()), None);
        assert_eq!(error.unwrap_err().to_string(), "CUMULET_TLS=maybe: write true or false");
    }

    #[test]
    fn another_process_sees_the_same() {
        let settings =
            Settings::join(&given(&[("simulate", "true"), ("name", "ci")]), |_| None, None).unwrap();
        let flags = settings.as_flags();
        assert!(
            flags.contains(&"--simulate=true".to_owned()) && flags.contains(&"--name=ci".to_owned()),
            "{flags:?}"
        );
        let again: BTreeMap<&'static str, String> = KEYS
            .iter()
            .filter_map(|key| {
                let prefix = format!("--{}=", key.name);
                Some((key.name, flags.iter().find_map(|flag| flag.strip_prefix(&prefix))?.to_owned()))
            })
            .collect();
        let again = Settings::join(&Given { values: again, file: None }, |_| None, None).unwrap();
        assert!(settings.iter().map(|(k, v)| (k, &v.text)).eq(again.iter().map(|(k, v)| (k, &v.text))));
    }
}
