//! `eval "$(cumulet env)"`: OS_* for any OpenStack client.

use anyhow::Context;

use crate::commands::up::State;
use crate::config::CloudArgs;
use crate::steps::print;

pub fn run(args: &CloudArgs) -> anyhow::Result<()> {
    let data = args.resolve()?;
    let state = State::read(&data)?
        .with_context(|| format!("no cloud is running with {}: start it with `cumulet up`", data.path()))?;
    let password = data.read_password()?;
    let url = format!("{}/identity/v3", state.url);
    for (name, value) in [
        ("OS_AUTH_URL", url.as_str()),
        ("OS_USERNAME", "admin"),
        ("OS_PASSWORD", &password),
        ("OS_PROJECT_NAME", "admin"),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
        ("OS_REGION_NAME", &state.region),
        ("OS_IDENTITY_API_VERSION", "3"),
    ] {
        print(&format!("export {name}={value}"));
    }
    Ok(())
}
