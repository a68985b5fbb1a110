//! `rbd` and `ceph`: one method a call.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

use super::images::Images;
use super::{RbdOptions, VolumeSpace};
use crate::process::{Confinement, Output, file_error, run};
use crate::volumes::Passphrase;
use crate::{Error, Result};

const PACKAGE: &str = "ceph-common";
/// Of names and headers.
const QUICK: Duration = Duration::from_secs(60);
/// Of all of a disk's data.
const LONG: Duration = Duration::from_secs(2 * 3600);
/// Where an image notes whose it is.
const NOTE: &str = "cloud";

#[derive(Debug)]
pub struct Rbd {
    programs: [String; 2],
    pool: String,
    user: String,
    conf: Utf8PathBuf,
    keyring: Utf8PathBuf,
}

/// The user's key, of a keyring: the line `key = ...`.
pub fn key(keyring: &Utf8Path) -> Result<Passphrase> {
    let text = std::fs::read_to_string(keyring).map_err(|error| file_error("reading", keyring, error))?;
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let key = lines.map(|(name, key)| (name.trim(), key.trim())).find(|(name, _)| *name == "key");
    let (_, key) = key.ok_or_else(|| Error::Refused(format!("there is no key in {keyring}")))?;
    Ok(Passphrase::of_text(key))
}

impl Rbd {
    pub fn new(options: &RbdOptions) -> Self {
        let RbdOptions { programs, pool, user, conf, keyring, .. } = options.clone();
        Self { programs, pool, user, conf, keyring }
    }

    /// It starts with everything that names the cluster and ends with what is to be done.
    async fn any(&self, program: &str, arguments: Vec<String>, limit: Duration) -> Result<Output> {
        let mut all = ["--conf", self.conf.as_str(), "--id", &self.user, "--keyring", self.keyring.as_str()]
            .map(str::to_owned)
            .to_vec();
        all.extend(arguments);
        run(program, PACKAGE, &all, Confinement::default(), limit).await
    }

    async fn rbd(&self, arguments: &[&str], limit: Duration) -> Result<String> {
        let output =
            self.any(&self.programs[0], arguments.iter().map(|a| (*a).to_owned()).collect(), limit).await?;
        match output.code {
            Some(0) => Ok(output.stdout),
            _ => Err(failed(&format!("rbd {}", arguments.join(" ")), &output)),
        }
    }

    pub async fn quick(&self, arguments: &[&str]) -> Result<()> {
        self.rbd(arguments, QUICK).await.map(|_| ())
    }

    fn spec(&self, image: &str) -> String {
        format!("{}/{image}", self.pool)
    }

    /// Both programs, and QEMU's own driver, which may be a package of its own.
    pub async fn check_programs(&self) -> Result<()> {
        for program in &self.programs {
            run(program, PACKAGE, &["--version".to_owned()], Confinement::default(), QUICK).await?;
        }
        // Of a cluster that is nowhere: QEMU says what it lacks before it looks for it.
        let nowhere = json!({"driver": "rbd", "pool": "p", "image": "i", "conf": "/nonexistent/ceph.conf"});
        let arguments = ["info".to_owned(), format!("json:{nowhere}")];
        let told = run("qemu-img", "qemu-utils", &arguments, Confinement::default(), QUICK).await?;
        match told.stderr.contains("Unknown driver") {
            true => Err(Error::Refused(
                "QEMU cannot open images in Ceph: install the Debian package qemu-block-extra".into(),
            )),
            false => Ok(()),
        }
    }

    pub async fn images(&self) -> Result<Images> {
        let text = self.rbd(&["ls", "--long", "--format", "json", &self.pool], QUICK).await?;
        Images::read(&text)
            .map_err(|error| Error::Refused(format!("rbd listed images in an unknown way: {error}")))
    }

    pub async fn create(&self, image: &str, bytes: u64) -> Result<()> {
        self.quick(&["create", "--size", &format!("{bytes}B"), &self.spec(image)]).await
    }

    pub async fn resize(&self, image: &str, bytes: u64) -> Result<()> {
        self.quick(&["resize", "--no-progress", "--size", &format!("{bytes}B"), &self.spec(image)]).await
    }

    pub async fn remove(&self, image: &str) -> Result<()> {
        self.rbd(&["rm", "--no-progress", &self.spec(image)], LONG).await.map(|_| ())
    }

    pub async fn rename(&self, image: &str, to: &str) -> Result<()> {
        self.quick(&["mv", &self.spec(image), &self.spec(to)]).await
    }

    pub async fn snapshot(&self, image: &str, name: &str) -> Result<()> {
        self.quick(&["snap", "create", "--no-progress", &self.spec(&format!("{image}@{name}"))]).await
    }

    pub async fn protect(&self, image: &str, name: &str) -> Result<()> {
        self.quick(&["snap", "protect", &self.spec(&format!("{image}@{name}"))]).await
    }

    pub async fn unprotect(&self, image: &str, name: &str) -> Result<()> {
        self.quick(&["snap", "unprotect", &self.spec(&format!("{image}@{name}"))]).await
    }

    pub async fn remove_snapshot(&self, image: &str, name: &str) -> Result<()> {
        self.quick(&["snap", "rm", "--no-progress", &self.spec(&format!("{image}@{name}"))]).await
    }

    pub async fn clone_of(&self, image: &str, snapshot: &str, to: &str) -> Result<()> {
        self.quick(&["clone", &self.spec(&format!("{image}@{snapshot}")), &self.spec(to)]).await
    }

    /// All of it, also what stands on something else.
    pub async fn copy(&self, place: &str, to: &str) -> Result<()> {
        self.rbd(&["cp", "--no-progress", &self.spec(place), &self.spec(to)], LONG).await.map(|_| ())
    }

    pub async fn import(&self, from: &Utf8Path, to: &str) -> Result<()> {
        self.rbd(&["import", "--no-progress", from.as_str(), &self.spec(to)], LONG).await.map(|_| ())
    }

    pub async fn export(&self, place: &str, to: &Utf8Path) -> Result<()> {
        self.rbd(&["export", "--no-progress", &self.spec(place), to.as_str()], LONG).await.map(|_| ())
    }

    pub async fn note(&self, image: &str) -> Result<Option<String>> {
        let text = self.rbd(&["image-meta", "ls", "--format", "json", &self.spec(image)], QUICK).await?;
        let all: Value = serde_json::from_str(text.trim()).unwrap_or_default();
        Ok(all[NOTE].as_str().map(str::to_owned))
    }

    pub async fn set_note(&self, image: &str, text: &str) -> Result<()> {
        self.quick(&["image-meta", "set", &self.spec(image), NOTE, text]).await
    }

    pub async fn space(&self) -> Result<VolumeSpace> {
        let arguments = ["df", "--format", "json"].map(str::to_owned).to_vec();
        let output = self.any(&self.programs[1], arguments, QUICK).await?;
        if output.code != Some(0) {
            return Err(failed("ceph df", &output));
        }
        let told: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let pools = told["pools"].as_array();
        let pool = pools.into_iter().flatten().find(|pool| pool["name"] == self.pool.as_str());
        let number = |key: &str| pool.and_then(|pool| pool["stats"][key].as_u64()).unwrap_or(0);
        let free_bytes = number("max_avail");
        Ok(VolumeSpace { total_bytes: free_bytes + number("stored"), free_bytes })
    }
}

/// The last line says why; those before it are of no use to who reads one sentence.
fn failed(command: &str, output: &Output) -> Error {
    let last = output.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Error::Command { command: command.into(), status: output.status.clone(), stderr: last.trim().into() }
}
