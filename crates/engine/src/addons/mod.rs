//! What every cluster gets on top of kubeadm: a pod network.
//!
//! Applied by the engine over the Kubernetes API (server-side, so that applying twice is nothing), not by the
//! machine: the node image needs no kubectl then, and an addon can be brought up to date later.

use serde::Deserialize as _;
use serde_json::Value;

use crate::{Error, Result, Wanted};

const FLANNEL: &str = include_str!("flannel.yaml");
const FLANNEL_PLUGIN: &str = include_str!("flannel-plugin.yaml");

/// The versions in the manifests are those that the node image carries.
pub(crate) fn flannel(wanted: &Wanted, api_address: &str) -> Result<Vec<Value>> {
    let plugin = if wanted.image.flannel_plugin { "" } else { FLANNEL_PLUGIN };
    let text = FLANNEL
        .replace("@POD_CIDR@", &wanted.pod_cidr.to_string())
        .replace("@API_ADDRESS@", api_address)
        .replace("@PLUGIN@\n", plugin);
    documents(&text)
}

fn documents(text: &str) -> Result<Vec<Value>> {
    let defect = |error: serde_norway::Error| Error::Internal(format!("an addon's manifest: {error}"));
    serde_norway::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).map_err(defect))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[test]
    fn nothing_is_left_to_fill_in() {
        for flannel_plugin in [true, false] {
            let mut wanted = sample::wanted(1);
            wanted.image.flannel_plugin = flannel_plugin;
            let objects = flannel(&wanted, "10.6.0.10").unwrap();
            assert!(!serde_json::to_string(&objects).unwrap().contains('@'));
            let daemon_set = objects.iter().find(|object| object["kind"] == "DaemonSet").unwrap();
            let pod = &daemon_set["spec"]["template"]["spec"];
            assert_eq!(pod["initContainers"].as_array().unwrap().len(), if flannel_plugin { 1 } else { 2 });
        }
    }

    #[test]
    fn the_pod_network_is_the_clusters() {
        let objects = flannel(&sample::wanted(1), "10.6.0.10").unwrap();
        let config = objects.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
        let net: Value = serde_json::from_str(config["data"]["net-conf.json"].as_str().unwrap()).unwrap();
        assert_eq!(net["Network"], "10.244.0.0/16");
        assert_eq!(net["Backend"]["Type"], "vxlan");
        let list: Value = serde_json::from_str(config["data"]["cni-conf.json"].as_str().unwrap()).unwrap();
        assert_eq!(list["plugins"][0]["type"], "flannel");
    }
}
