//! `eval "$(cumulet env)"`: OS_* for any OpenStack client.

use anyhow::Context;
use clap::Args;

use crate::commands::up::State;
use crate::config::CloudArgs;
use crate::steps::print;

#[derive(Debug, Args)]
pub struct EnvArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// For the user and project `demo` instead of `admin`
    #[arg(long)]
    demo: bool,
}

pub fn run(args: &EnvArgs) -> anyhow::Result<()> {
    let data = args.cloud.resolve()?;
    let state = State::read(&data)?
        .with_context(|| format!("no cloud is running with {}: start it with `cumulet up`", data.path()))?;
    let (user, password) = match args.demo {
        true => ("demo", data.read_demo_password().context("this cloud was made without a demo project")?),
        false => ("admin", data.read_password()?),
    };
    let url = state.auth_url();
    let ca = state.cacert.as_ref().map(|path| ("OS_CACERT", path.as_str()));
    let variables = [
        ("OS_AUTH_URL", url.as_str()),
        ("OS_USERNAME", user),
        ("OS_PASSWORD", &password),
        ("OS_PROJECT_NAME", user),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
        ("OS_REGION_NAME", &state.region),
        ("OS_IDENTITY_API_VERSION", "3"),
    ];
    for (name, value) in variables.into_iter().chain(ca) {
        print(&format!("export {name}={}", quoted(value)));
    }
    if ca.is_none() {
        // One of another cloud must not stay in the shell.
        print("unset OS_CACERT");
    }
    Ok(())
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=/.:,@+".contains(&b));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn shells_read_back_what_was_meant() {
        assert_eq!(super::quoted("http://127.0.0.1:5000/identity/v3"), "http://127.0.0.1:5000/identity/v3");
        assert_eq!(super::quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
