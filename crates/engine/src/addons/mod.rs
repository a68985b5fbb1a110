//! What every cluster gets on top of kubeadm: a pod network, and the controllers by which it uses its cloud.
//!
//! Applied by the engine over the Kubernetes API (server-side, so that applying twice is nothing), not by the
//! machine: the node image needs no kubectl then, and an addon can be brought up to date later.
//!
//! The controllers are upstream's, unchanged, under the names of their images at upstream's registries; our node image
//! carries them on its disk. All that they know of the cloud is in one Secret, which is written by this path alone.

mod cloud_conf;

pub(crate) use cloud_conf::Place;

use std::collections::BTreeMap;

use openstack::Connection;
use serde::Deserialize as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bootstrap::{WEBHOOK_DIR, WEBHOOK_PORT};
use crate::pki::Pki;
use crate::state::Credential;
use crate::{Addon, Cni, Error, Result, Wanted};

const FLANNEL: &str = include_str!("flannel.yaml");
const FLANNEL_PLUGIN: &str = include_str!("flannel-plugin.yaml");
const CLOUD_CONTROLLER_MANAGER: &str = include_str!("cloud-controller-manager.yaml");
const CINDER_CSI: &str = include_str!("cinder-csi.yaml");
const SNAPSHOT_KINDS: &str = include_str!("snapshot-kinds.yaml");
const OCTAVIA_INGRESS: &str = include_str!("octavia-ingress.yaml");
const KEYSTONE_AUTH: &str = include_str!("keystone-auth.yaml");

/// Kubernetes' own registrar is published as no Go module, so that our image has another.
const OUR_REGISTRAR: &str = "cumulet.local/csi-registrar:1";
const UPSTREAM_REGISTRAR: &str = "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.15.0";

/// The versions in the manifests are those that the node image carries.
pub(crate) fn flannel(wanted: &Wanted, api_address: &str) -> Result<Vec<Value>> {
    let plugin = if wanted.image.flannel_plugin { "" } else { FLANNEL_PLUGIN };
    let backend = match wanted.cni {
        Cni::Flannel => "vxlan",
        // Only shares out the addresses: the cloud's router carries the packets.
        Cni::Router => "alloc",
    };
    let text = FLANNEL
        .replace("@POD_CIDR@", &wanted.pod_cidr.to_string())
        .replace("@BACKEND@", backend)
        .replace("@API_ADDRESS@", api_address)
        .replace("@PLUGIN@\n", plugin);
    documents(&text)
}

/// What the add-ons' objects depend on.
pub(crate) struct Inputs<'a> {
    pub wanted: &'a Wanted,
    pub connection: &'a Connection,
    pub project: &'a str,
    /// Absent when no add-on acts on the cloud.
    pub credential: Option<&'a Credential>,
    pub place: Place<'a>,
    pub api_address: &'a str,
}

/// When an add-on is installed. Until nodes are usable only what makes them so runs: on a slow machine all controllers
/// starting at once beside the API server leave it no time to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    BeforeNodes,
    AfterNodes,
}

impl Time {
    fn of(addon: Addon) -> Self {
        if addon == Addon::CloudControllerManager { Time::BeforeNodes } else { Time::AfterNodes }
    }
}

/// All objects of the add-ons of a time, in an order in which they can be applied.
pub(crate) fn objects(inputs: &Inputs<'_>, time: Time) -> Result<Vec<Value>> {
    let wanted = inputs.wanted;
    let mut objects = Vec::new();
    let mut digest = String::new();
    if let Some(credential) = inputs.credential {
        let secret = cloud_config(inputs, credential)?;
        digest = fingerprint(&secret["data"]);
        if time == Time::BeforeNodes {
            objects.push(secret);
        }
    }
    for addon in wanted.addons.iter().filter(|addon| Time::of(**addon) == time) {
        match addon {
            Addon::CloudControllerManager => objects.extend(fill(CLOUD_CONTROLLER_MANAGER, inputs, &digest)?),
            Addon::CinderCsi => {
                objects.extend(documents(SNAPSHOT_KINDS)?);
                objects.extend(fill(CINDER_CSI, inputs, &digest)?);
            }
            Addon::OctaviaIngress => objects.extend(fill(OCTAVIA_INGRESS, inputs, &digest)?),
            Addon::KeystoneAuth => {
                objects.push(policy(inputs.project)?);
                objects.extend(fill(KEYSTONE_AUTH, inputs, &digest)?);
            }
        }
    }
    Ok(objects)
}

/// Paths of what must run before the cluster is called ready.
pub(crate) fn workloads(wanted: &Wanted) -> Vec<&'static str> {
    let of = |addon: &Addon| match addon {
        Addon::CloudControllerManager => {
            &["/apis/apps/v1/namespaces/kube-system/daemonsets/openstack-cloud-controller-manager"][..]
        }
        Addon::CinderCsi => &[
            "/apis/apps/v1/namespaces/kube-system/daemonsets/csi-cinder-node",
            "/apis/apps/v1/namespaces/kube-system/deployments/csi-cinder-controller",
            "/apis/apps/v1/namespaces/kube-system/deployments/snapshot-controller",
        ],
        Addon::OctaviaIngress => {
            &["/apis/apps/v1/namespaces/kube-system/deployments/octavia-ingress-controller"]
        }
        Addon::KeystoneAuth => &["/apis/apps/v1/namespaces/kube-system/daemonsets/k8s-keystone-auth"],
    };
    wanted.addons.iter().flat_map(of).copied().collect()
}

/// The container images that the manifests name, for nodes of our own image.
#[must_use]
pub fn addon_images() -> Vec<String> {
    let all = [FLANNEL, CLOUD_CONTROLLER_MANAGER, CINDER_CSI, OCTAVIA_INGRESS, KEYSTONE_AUTH].concat();
    let mut images: Vec<String> = all
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "))
        .map(|image| image.replace("@REGISTRAR@", OUR_REGISTRAR))
        .collect();
    images.sort();
    images.dedup();
    images
}

/// The one Secret with what the controllers need to act on the cloud.
fn cloud_config(inputs: &Inputs<'_>, credential: &Credential) -> Result<Value> {
    let text = cloud_conf::controllers(inputs.wanted, inputs.connection, credential, &inputs.place)?;
    let mut data = BTreeMap::from([("cloud.conf", Pki::base64(&text))]);
    if let Some(ca) = &inputs.connection.ca {
        data.insert("ca.crt", Pki::base64(ca));
    }
    if inputs.wanted.addons.contains(&Addon::OctaviaIngress) {
        data.insert("ingress.yaml", Pki::base64(&ingress_config(inputs, credential).to_string()));
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "cloud-config", "namespace": "kube-system" },
        "type": "Opaque",
        "data": data,
    }))
}

/// JSON, which is YAML too.
fn ingress_config(inputs: &Inputs<'_>, credential: &Credential) -> Value {
    let connection = inputs.connection;
    let mut openstack = json!({
        "auth-url": connection.auth_url,
        "application-credential-id": credential.id,
        "application-credential-secret": credential.secret,
    });
    if let Some(region) = &connection.region {
        openstack["region"] = json!(region);
    }
    if connection.ca.is_some() {
        openstack["ca-file"] = json!(cloud_conf::CA_FILE);
    }
    if connection.insecure {
        openstack["tls-insecure"] = json!("true");
    }
    json!({
        "cluster-name": inputs.wanted.cluster_name(),
        "openstack": openstack,
        "octavia": {
            "subnet-id": inputs.place.subnet,
            "floating-network-id": inputs.wanted.external_network,
            "manage-security-groups": true,
        },
    })
}

/// Who may do what, for a start: the project's members everything but Kubernetes' own namespace and secrets there,
/// its readers look. The webhook does not see subresources, so that what a look could do there is kept from it: see
/// [`crate::bootstrap`]'s conditions.
fn policy(project: &str) -> Result<Value> {
    let rule = |role: &str, resources: Value, others: Value| {
        json!({
            "users": { "projects": [project], "roles": [role] },
            "resource_permissions": resources,
            "nonresource_permissions": others,
        })
    };
    let look = json!(["get", "list", "watch"]);
    let rules = json!([
        rule("admin", json!({ "*/*": ["*"] }), json!({ "*": ["*"] })),
        rule("member", json!({ "!kube-system/*": ["*"] }), json!({ "*": ["get"] })),
        rule("reader", json!({ "*/!['secrets']": look }), json!({ "*": ["get"] })),
    ]);
    let text = serde_json::to_string_pretty(&rules)
        .map_err(|error| Error::Internal(format!("the policy of users: {error}")))?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "k8s-auth-policy", "namespace": "kube-system" },
        "data": { "policies": text },
    }))
}

fn fill(manifest: &str, inputs: &Inputs<'_>, digest: &str) -> Result<Vec<Value>> {
    let wanted = inputs.wanted;
    let connection = inputs.connection;
    let registrar = if wanted.image.flannel_plugin { OUR_REGISTRAR } else { UPSTREAM_REGISTRAR };
    let mut arguments = vec![
        format!("--listen=127.0.0.1:{WEBHOOK_PORT}"),
        format!("--tls-cert-file={WEBHOOK_DIR}/tls.crt"),
        format!("--tls-private-key-file={WEBHOOK_DIR}/tls.key"),
        "--policy-configmap-name=k8s-auth-policy".to_owned(),
        format!("--keystone-url={}", connection.auth_url),
    ];
    if connection.ca.is_some() {
        arguments.push("--keystone-ca-file=/etc/keystone/ca.crt".to_owned());
    }
    let text = manifest
        .replace("@CLUSTER@", &wanted.cluster_name())
        .replace("@DIGEST@", digest)
        .replace("@API_ADDRESS@", inputs.api_address)
        .replace("@POD_CIDR@", &wanted.pod_cidr.to_string())
        .replace("@ROUTES@", if wanted.cni == Cni::Router { "true" } else { "false" })
        .replace("@ELECT@", if wanted.control_planes > 1 { "true" } else { "false" })
        .replace("@REGISTRAR@", registrar)
        .replace("@STORAGE_CONF@", &json!(cloud_conf::storage(wanted)?).to_string())
        .replace("@WEBHOOK_DIR@", WEBHOOK_DIR)
        .replace("@CA@", &json!(connection.ca.as_deref().unwrap_or_default()).to_string())
        .replace("@ARGUMENTS@", &json!(arguments).to_string());
    documents(&text)
}

/// Changes with the configuration, so that controllers which read it once are started again.
fn fingerprint(data: &Value) -> String {
    let hash = Sha256::digest(data.to_string());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn documents(text: &str) -> Result<Vec<Value>> {
    let defect = |error: serde_norway::Error| Error::Internal(format!("an addon's manifest: {error}"));
    serde_norway::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).map_err(defect))
        .collect()
}

#[cfg(test)]
mod tests;
