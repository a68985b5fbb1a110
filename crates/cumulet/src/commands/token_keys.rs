//! `cumulet token-keys`: the Fernet keys that tokens are made with. A running cloud takes notice by itself.

use anyhow::ensure;
use clap::Subcommand;

use crate::assemble::TOKEN_TTL;
use crate::config::{CloudArgs, DataDir};
use crate::steps::say;

#[derive(Debug, Subcommand)]
pub enum TokenKeysCommand {
    /// Make new tokens with the next key; tokens of the key before stay good until the next rotation
    Rotate {
        #[command(flatten)]
        cloud: CloudArgs,
        /// Rotate even when that ends tokens before their time: after a leak, twice
        #[arg(long)]
        force: bool,
    },
}

pub fn run(command: TokenKeysCommand) -> anyhow::Result<()> {
    let TokenKeysCommand::Rotate { cloud, force } = command;
    rotate(&cloud.resolve()?, force)?;
    say("✓ New tokens are made with a new key; those of the key before stay good until the next rotation");
    Ok(())
}

fn rotate(data: &DataDir, force: bool) -> anyhow::Result<()> {
    ensure!(data.database().exists(), "there is no cloud in {}", data.path());
    let _turn = host::daemon::turn(data.path())?;
    let keys = data.keys();
    if let Some(ago) = keystone::rotation_comes_early(&keys, TOKEN_TTL)?.filter(|_| !force) {
        anyhow::bail!(
            "the keys were rotated {} minutes ago, and tokens issued before that are good for {} hours: wait so long, or \
             end them with --force",
            ago.as_secs() / 60,
            TOKEN_TTL.as_secs() / 3600
        );
    }
    Ok(keystone::rotate_token_keys(&keys)?)
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn a_second_rotation_on_one_day_is_asked_for_twice() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir(Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap());
        assert!(rotate(&data, false).unwrap_err().to_string().starts_with("there is no cloud in "));
        std::fs::write(data.database(), "").unwrap();
        rotate(&data, false).unwrap();
        let key = |n: u32| std::fs::read_to_string(data.keys().join("tokens").join(n.to_string())).ok();
        let first = (key(1), key(2));
        let refused = rotate(&data, false).unwrap_err().to_string();
        assert!(
            refused.starts_with("the keys were rotated 0 minutes ago") && refused.ends_with("--force"),
            "{refused}"
        );
        assert_eq!((key(1), key(2)), first);
        rotate(&data, true).unwrap();
        assert!(key(1).is_none() && key(2) == first.1 && key(3).is_some());
    }
}
