//! kubeadm's configuration, `kubeadm.k8s.io/v1beta4`.
//!
//! Its waits are made for slow machines (emulated CPUs, cold disks): on a fast one they only end later when
//! something is really wrong.

use serde_json::{Value, json};

use super::Inputs;
use crate::pki::{self, Pki};
use crate::{Addon, Error, Result};

const API_VERSION: &str = "kubeadm.k8s.io/v1beta4";
const SOCKET: &str = "unix:///run/containerd/containerd.sock";
pub(crate) const API_PORT: u16 = 6443;
/// Where kubeadm looks for changes to the control plane's static pods.
pub(super) const PATCHES: &str = "/etc/cumulet/patches";

/// kubeadm renews certificates in upgrades, at a year's default a cluster that has had none is dead. Shorter than the
/// authorities' ten years.
const CERTIFICATES_LIVE: &str = "78840h0m0s";

/// On the control plane: by what the API server asks the webhook of Keystone, and the webhook's own key.
pub(crate) const WEBHOOK_DIR: &str = "/etc/kubernetes/cumulet";
pub(crate) const WEBHOOK_PORT: u16 = 8443;

/// Of whom the webhook is asked. Asked of everybody, each refusal of RBAC's would wait for it, and kubeadm, which begins
/// with a request that is refused, would wait for what only it can make run.
const OF_THE_CLOUD: &str = "'alpha.kubernetes.io/identity/roles' in request.extra";
/// A webhook that takes `nodes/proxy` for `nodes` would let whoever may look run commands in any pod: a `get` is enough
/// to open a stream.
const NO_WAY_IN_FOR_READERS: &str = "!has(request.resourceAttributes) \
    || !has(request.resourceAttributes.subresource) \
    || !(request.resourceAttributes.subresource in ['attach', 'exec', 'portforward', 'proxy']) \
    || request.extra['alpha.kubernetes.io/identity/roles'].exists(role, role in ['admin', 'member'])";

/// The first minor version whose kubelet knows how long a crashing container may be left alone.
const CRASH_LOOP_MINOR: u32 = 35;

/// The first minor version known to have readiness probes of etcd and the scheduler in kubeadm's manifests.
const READINESS_MINOR: u32 = 36;

pub(super) fn init(inputs: &Inputs<'_>) -> Result<String> {
    let wanted = inputs.wanted;
    let init = json!({
        "apiVersion": API_VERSION,
        "kind": "InitConfiguration",
        "bootstrapTokens": [{
            "token": inputs.token.text(),
            "description": "nodes made together with the cluster",
            "ttl": format!("{}h0m0s", pki::TOKEN_TTL.as_secs() / 3600),
            "usages": ["signing", "authentication"],
            "groups": ["system:bootstrappers:kubeadm:default-node-token"],
        }],
        "localAPIEndpoint": { "advertiseAddress": inputs.address, "bindPort": API_PORT },
        "nodeRegistration": registration(inputs),
        "patches": { "directory": PATCHES },
        "timeouts": timeouts(),
    });
    let cluster = json!({
        "apiVersion": API_VERSION,
        "kind": "ClusterConfiguration",
        "clusterName": wanted.name,
        "kubernetesVersion": wanted.kubernetes,
        "controlPlaneEndpoint": format!("{}:{API_PORT}", inputs.api_address),
        // Making RSA keys takes an emulated CPU longer than all the rest of the certificates phase.
        "encryptionAlgorithm": "ECDSA-P256",
        "certificateValidityPeriod": CERTIFICATES_LIVE,
        "networking": {
            "dnsDomain": "cluster.local",
            "podSubnet": wanted.pod_cidr.to_string(),
            "serviceSubnet": wanted.service_cidr.to_string(),
        },
        "apiServer": api_server(inputs),
        "controllerManager": alone(wanted.control_planes),
        "scheduler": alone(wanted.control_planes),
        // etcd's defaults (100 and 1000 ms) make a slow disk lose elections.
        "etcd": { "local": { "extraArgs": arguments(&[("heartbeat-interval", "500"), ("election-timeout", "5000")]) } },
    });
    documents(&[init, cluster, kubelet(&wanted.kubernetes), kube_proxy(inputs)])
}

pub(super) fn join(inputs: &Inputs<'_>) -> Result<String> {
    let mut timeouts = timeouts();
    // The control plane is made at the same time as this node: discovery is where a worker waits for it.
    timeouts["discovery"] = json!("1h0m0s");
    documents(&[json!({
        "apiVersion": API_VERSION,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": format!("{}:{API_PORT}", inputs.api_address),
                "token": inputs.token.text(),
                "caCertHashes": [inputs.pki.ca_hash],
            },
        },
        "nodeRegistration": registration(inputs),
        "timeouts": timeouts,
    })])
}

fn api_server(inputs: &Inputs<'_>) -> Value {
    let mut server = json!({ "certSANs": [inputs.floating_ip, inputs.api_address] });
    // An etcd that is slower than 2 s makes the API server's own health a failure, and the liveness probe kills it.
    let mut extra = vec![("etcd-healthcheck-timeout", "20s")];
    let config = format!("{WEBHOOK_DIR}/webhook.yaml");
    let authorization = format!("{WEBHOOK_DIR}/authorization.yaml");
    if inputs.wanted.addons.contains(&Addon::KeystoneAuth) {
        extra.extend([
            ("authentication-token-webhook-config-file", config.as_str()),
            ("authentication-token-webhook-version", "v1beta1"),
            ("authorization-config", authorization.as_str()),
        ]);
        server["extraVolumes"] = json!([{
            "name": "keystone-webhook",
            "hostPath": WEBHOOK_DIR,
            "mountPath": WEBHOOK_DIR,
            "readOnly": true,
            "pathType": "DirectoryOrCreate",
        }]);
    }
    server["extraArgs"] = arguments(&extra);
    server
}

/// Names and contents of the files of [`WEBHOOK_DIR`].
pub(super) fn webhook_files(pki: &Pki) -> Result<Vec<(&'static str, String)>> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "webhook",
            "cluster": {
                "server": format!("https://127.0.0.1:{WEBHOOK_PORT}/webhook"),
                "certificate-authority-data": Pki::base64(&pki.ca_certificate),
            },
        }],
        "users": [{ "name": "webhook" }],
        "contexts": [{ "name": "webhook", "context": { "cluster": "webhook", "user": "webhook" } }],
        "current-context": "webhook",
    });
    let authorization = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": [
            { "type": "Node", "name": "node" },
            { "type": "RBAC", "name": "rbac" },
            {
                "type": "Webhook",
                "name": "keystone",
                "webhook": {
                    "timeout": "10s",
                    "authorizedTTL": "5m",
                    "unauthorizedTTL": "30s",
                    "subjectAccessReviewVersion": "v1beta1",
                    "matchConditionSubjectAccessReviewVersion": "v1",
                    "failurePolicy": "NoOpinion",
                    "connectionInfo": {
                        "type": "KubeConfigFile",
                        "kubeConfigFile": format!("{WEBHOOK_DIR}/webhook.yaml"),
                    },
                    "matchConditions": [{ "expression": OF_THE_CLOUD }, { "expression": NO_WAY_IN_FOR_READERS }],
                },
            },
        ],
    });
    Ok(vec![
        ("authorization.yaml", documents(&[authorization])?),
        ("webhook.yaml", documents(&[config])?),
        ("tls.crt", pki.webhook_certificate.clone()),
        ("tls.key", pki.webhook_key.clone()),
    ])
}

fn registration(inputs: &Inputs<'_>) -> Value {
    let mut extra = vec![
        ("node-ip", inputs.address),
        // Filled in by cloud-init on the machine.
        ("provider-id", "openstack:///{{ v1.instance_id }}"),
    ];
    // Without the cloud's controller manager the node would keep its taint for ever.
    if inputs.wanted.addons.contains(&Addon::CloudControllerManager) {
        extra.push(("cloud-provider", "external"));
    }
    json!({
        "name": inputs.wanted.node_name(inputs.node),
        "criSocket": SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": arguments(&extra),
    })
}

fn timeouts() -> Value {
    json!({
        "controlPlaneComponentHealthCheck": "15m0s",
        "kubeletHealthCheck": "15m0s",
        "kubernetesAPICall": "15m0s",
        "etcdAPICall": "15m0s",
        "tlsBootstrap": "15m0s",
    })
}

/// With one control-plane node there is nobody to lose an election to, and renewing the lease is constant work.
fn alone(control_planes: u32) -> Value {
    if control_planes == 1 {
        json!({ "extraArgs": arguments(&[("leader-elect", "false")]) })
    } else {
        json!({})
    }
}

/// File names and contents for [`PATCHES`]. kubeadm's liveness probes give an answer 15 s, eight times; on a busy machine
/// the API server is slower than that now and then, and killing it for it makes the machine busier and everything else
/// crash. One that ends is started again at once, whatever they say. Its readiness probes ask each second, with a TLS
/// handshake and a look into etcd every time, which an emulated control plane feels. Nobody is sent to these pods by
/// their readiness. The price: one that hangs without ending is started again after four minutes or more.
pub(super) fn patches(version: &str) -> Result<Vec<(String, String)>> {
    let patch = |pod: &str| {
        let mut container =
            json!({ "name": pod, "livenessProbe": { "timeoutSeconds": 60, "failureThreshold": 24 } });
        // A period for a probe that kubeadm does not write would be a probe of nothing, which kubelet refuses.
        if pod == "kube-apiserver"
            || (pod != "kube-controller-manager" && from_minor(version, READINESS_MINOR))
        {
            container["readinessProbe"] = json!({ "periodSeconds": 10 });
        }
        Ok((format!("{pod}+strategic.yaml"), documents(&[json!({ "spec": { "containers": [container] } })])?))
    };
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"].into_iter().map(patch).collect()
}

fn from_minor(version: &str, least: u32) -> bool {
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= least)
}

fn kubelet(version: &str) -> Value {
    let mut kubelet = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "runtimeRequestTimeout": "5m0s",
        "rotateCertificates": true,
    });
    if from_minor(version, CRASH_LOOP_MINOR) {
        // What crashes while the API server is still starting is wanted back soon after, not five minutes later.
        kubelet["crashLoopBackOff"] = json!({ "maxContainerRestartPeriod": "30s" });
    }
    kubelet
}

fn kube_proxy(inputs: &Inputs<'_>) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clusterCIDR": inputs.wanted.pod_cidr.to_string(),
        // Flannel programs nftables too; iptables mode would need the legacy tools and their kernel modules.
        "mode": "nftables",
    })
}

fn arguments(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn documents(values: &[Value]) -> Result<String> {
    let texts: std::result::Result<Vec<String>, _> = values.iter().map(serde_norway::to_string).collect();
    Ok(texts.map_err(|error| Error::Internal(format!("kubeadm's configuration: {error}")))?.join("---\n"))
}
