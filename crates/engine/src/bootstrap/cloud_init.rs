//! The cloud-config around kubeadm's configuration.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{FAILED, Inputs, kubeadm};
use crate::{Addon, Error, Result};

/// Nova's limit for the encoded text.
const LIMIT: usize = 65535;

const CONFIG: &str = "/etc/cumulet/kubeadm.yaml";
const SCRIPT: &str = "/usr/local/sbin/cumulet-bootstrap";

pub(super) fn control_plane(inputs: &Inputs<'_>) -> Result<String> {
    let mut files = vec![
        file("/etc/cumulet/pki/ca.crt", "0600", &inputs.pki.ca_certificate),
        file("/etc/cumulet/pki/ca.key", "0600", &inputs.pki.ca_key),
        file(CONFIG, "0600", &kubeadm::init(inputs)?),
    ];
    if inputs.wanted.addons.contains(&Addon::KeystoneAuth) {
        for (name, content) in kubeadm::webhook_files(inputs.pki)? {
            files.push(file(&format!("{}/{name}", kubeadm::WEBHOOK_DIR), "0600", &content));
        }
    }
    for (name, content) in kubeadm::patches(&inputs.wanted.kubernetes)? {
        files.push(file(&format!("{}/{name}", kubeadm::PATCHES), "0600", &content));
    }
    // `kubeadm reset` after a failed try removes the CA, so each try brings it again.
    let init = "install -d -m 0700 /etc/kubernetes/pki\n    \
                install -m 0600 /etc/cumulet/pki/ca.key /etc/kubernetes/pki/ca.key\n    \
                install -m 0644 /etc/cumulet/pki/ca.crt /etc/kubernetes/pki/ca.crt\n    \
                kubeadm init --config /etc/cumulet/kubeadm.yaml --skip-token-print";
    files.push(file(SCRIPT, "0700", &script(init, 2)));
    cloud_config(inputs, &files)
}

pub(super) fn worker(inputs: &Inputs<'_>) -> Result<String> {
    let files = [
        file(CONFIG, "0600", &kubeadm::join(inputs)?),
        file(SCRIPT, "0700", &script("kubeadm join --config /etc/cumulet/kubeadm.yaml", 5)),
    ];
    cloud_config(inputs, &files)
}

fn file(path: &str, mode: &str, content: &str) -> Value {
    json!({ "path": path, "owner": "root:root", "permissions": mode, "content": content })
}

/// Runs once, tells the console, and leaves the whole story in a log on the node.
fn script(work: &str, tries: u32) -> String {
    format!(
        "#!/bin/sh\n\
         log=/var/log/cumulet-bootstrap.log\n\
         say() {{ echo \"cumulet: $*\" >/dev/console; echo \"cumulet: $*\" >>$log; }}\n\
         bootstrap() {{\n    {work}\n}}\n\
         try=1\n\
         say \"bootstrap begins\"\n\
         until bootstrap >>$log 2>&1; do\n    \
             if [ $try -ge {tries} ]; then\n        \
                 say \"$(tail -n 20 $log)\"\n        \
                 say \"{failed} after $try tries, see $log\"\n        \
                 exit 1\n    \
             fi\n    \
             say \"try $try of {tries} failed: $(tail -n 3 $log)\"\n    \
             try=$((try + 1))\n    \
             kubeadm reset --force >>$log 2>&1\n    \
             sleep 10\n\
         done\n\
         say \"bootstrap done\"\n",
        failed = FAILED.trim_start_matches("cumulet: "),
    )
}

/// The first line makes cloud-init render the text, for the one thing that only the machine knows: its own id.
fn cloud_config(inputs: &Inputs<'_>, files: &[Value]) -> Result<String> {
    let config = json!({
        // Some clouds' metadata append a domain to the server's name; the node's name is the server's.
        "hostname": inputs.wanted.node_name(inputs.node),
        "prefer_fqdn_over_hostname": false,
        "package_update": false,
        "ssh_pwauth": false,
        "write_files": files,
        "runcmd": [[SCRIPT]],
    });
    let yaml = serde_norway::to_string(&config)
        .map_err(|error| Error::Internal(format!("cloud-config: {error}")))?;
    Ok(format!("## template: jinja\n#cloud-config\n{yaml}"))
}

/// Base64, compressed only when it would not fit otherwise: plain text can be read by whoever debugs.
pub(super) fn encode(node: &str, text: &str) -> Result<String> {
    let plain = BASE64_STANDARD.encode(text);
    if plain.len() <= LIMIT {
        return Ok(plain);
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let packed = packer
        .write_all(text.as_bytes())
        .and_then(|()| packer.finish())
        .map_err(|error| Error::Internal(format!("compressing user data: {error}")))?;
    let packed = BASE64_STANDARD.encode(packed);
    if packed.len() <= LIMIT {
        return Ok(packed);
    }
    Err(Error::UserData { node: node.to_owned(), size: packed.len(), limit: LIMIT })
}
