//! The few Kubernetes API calls that the engine makes: reading until things are ready, and applying manifests.
//!
//! Plain HTTPS with the administrator's certificate. A Kubernetes client crate costs a minute of compile time for
//! what is seven paths and two methods here.

use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Method, StatusCode};
use serde_json::{Value, json};

use crate::error::Error;
use crate::pki::{Pki, Token};
use crate::{Result, Wanted};

const MANAGER: &str = "cumulet";

pub(crate) struct Kubernetes {
    client: Client,
    server: String,
    context: String,
}

/// An answer, or why there is none yet.
pub(crate) type Look<T> = std::result::Result<T, String>;

impl Kubernetes {
    pub fn new(wanted: &Wanted, pki: &Pki, server: &str) -> Result<Self> {
        let defect = |error: reqwest::Error| Error::Internal(format!("the cluster's certificates: {error}"));
        let identity = Identity::from_pem(format!("{}{}", pki.admin_certificate, pki.admin_key).as_bytes())
            .map_err(defect)?;
        let ca = Certificate::from_pem(pki.ca_certificate.as_bytes()).map_err(defect)?;
        let client = Client::builder()
            .tls_certs_only([ca])
            .identity(identity)
            // The floating IP is reached directly; a proxy of the environment knows no way to it.
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(defect)?;
        Ok(Self { client, server: server.to_owned(), context: wanted.name.clone() })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Look<(StatusCode, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.server));
        if let Some((kind, body)) = body {
            request = request.header("Content-Type", kind).body(body.to_string());
        }
        let response = request.send().await.map_err(|error| cause(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| cause(&error))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// `Err` is "not yet", for whatever reason: until kubeadm is done the API also says 401, 403, 404 and 5xx.
    async fn get(&self, path: &str) -> Look<Value> {
        let (status, body) = self.send(Method::GET, path, None).await?;
        if status.is_success() { Ok(body) } else { Err(format!("{path}: {}", said(status, &body))) }
    }

    /// The API serves, and our certificate is an administrator's: kubeadm has bound its group.
    pub async fn ready(&self) -> Look<()> {
        let (status, body) = self.send(Method::GET, "/readyz", None).await?;
        if !status.is_success() {
            return Err(format!("the API server answers, not yet ready ({})", said(status, &body)));
        }
        self.get("/api/v1/nodes").await.map(drop)
    }

    /// The names of nodes that exist, and of those that are Ready.
    pub async fn nodes(&self) -> Look<Nodes> {
        Ok(Nodes::read(&self.get("/api/v1/nodes").await?))
    }

    /// Is the DaemonSet or Deployment at `path` complete?
    pub async fn workload_ready(&self, path: &str) -> Look<()> {
        workload(&self.get(path).await?)
    }

    pub async fn service_account(&self, namespace: &str, name: &str) -> Look<()> {
        self.get(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}")).await.map(drop)
    }

    /// Server-side apply: creates what is not there, corrects what differs. `Ok(Err(..))` is "not yet".
    pub async fn apply(&self, object: &Value) -> Result<Look<()>> {
        let path = format!("{}?fieldManager={MANAGER}&force=true", path_of(object)?);
        Ok(match self.send(Method::PATCH, &path, Some(("application/apply-patch+yaml", object))).await {
            Err(reason) => Err(reason),
            Ok((status, _)) if status.is_success() => Ok(()),
            Ok((status, body)) if matches!(status.as_u16(), 400 | 409 | 422) => {
                return Err(Error::Kubernetes {
                    server: self.server.clone(),
                    context: self.context.clone(),
                    what: format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"])),
                    message: said(status, &body),
                });
            }
            Ok((status, body)) => Err(format!("{path}: {}", said(status, &body))),
        })
    }

    /// Volumes of the cloud that their owner wants to keep: `reclaimPolicy: Retain`.
    pub async fn retained_volumes(&self, driver: &str) -> Look<Vec<String>> {
        Ok(retained(&self.get("/api/v1/persistentvolumes").await?, driver))
    }

    /// Floating IPs that were given to Services and Ingresses, or are to outlive them.
    pub async fn kept_addresses(&self) -> Look<Vec<String>> {
        let mut kept = Vec::new();
        for path in ["/api/v1/services", "/apis/networking.k8s.io/v1/ingresses"] {
            kept.extend(addresses_to_keep(&self.get(path).await?));
        }
        Ok(kept)
    }

    /// Namespaces and names of the Services with a load balancer.
    pub async fn balanced_services(&self) -> Look<Vec<(String, String)>> {
        Ok(balanced(&self.get("/api/v1/services").await?))
    }

    pub async fn delete_service(&self, namespace: &str, name: &str) -> Look<()> {
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        match self.send(Method::DELETE, &path, None).await? {
            (status, _) if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            (status, body) => Err(format!("{path}: {}", said(status, &body))),
        }
    }

    /// Let new nodes join with `token`, until it expires.
    pub async fn add_token(&self, token: &Token) -> Result<Look<()>> {
        self.apply(&json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": format!("bootstrap-token-{}", token.id), "namespace": "kube-system" },
            "type": "bootstrap.kubernetes.io/token",
            "stringData": {
                "token-id": token.id,
                "token-secret": token.secret,
                "expiration": token.expires.to_string(),
                "usage-bootstrap-authentication": "true",
                "usage-bootstrap-signing": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            },
        }))
        .await
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Nodes {
    pub present: Vec<String>,
    pub ready: Vec<String>,
}

impl Nodes {
    fn read(list: &Value) -> Self {
        let mut nodes = Nodes::default();
        for node in list["items"].as_array().into_iter().flatten() {
            let name = text(&node["metadata"]["name"]).to_owned();
            let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            if conditions.into_iter().any(|it| it["type"] == "Ready" && it["status"] == "True") {
                nodes.ready.push(name.clone());
            }
            nodes.present.push(name);
        }
        nodes
    }
}

fn retained(volumes: &Value, driver: &str) -> Vec<String> {
    let handle = |volume: &Value| {
        let spec = &volume["spec"];
        let kept = spec["csi"]["driver"] == driver && spec["persistentVolumeReclaimPolicy"] == "Retain";
        kept.then(|| text(&spec["csi"]["volumeHandle"]).to_owned())
    };
    volumes["items"].as_array().into_iter().flatten().filter_map(handle).collect()
}

/// By the annotations of upstream's controllers.
fn addresses_to_keep(objects: &Value) -> Vec<String> {
    const GIVEN: [&str; 2] =
        ["loadbalancer.openstack.org/load-balancer-address", "octavia.ingress.kubernetes.io/floatingip"];
    const KEEP: [&str; 2] =
        ["loadbalancer.openstack.org/keep-floatingip", "octavia.ingress.kubernetes.io/keep-floatingip"];
    let mut kept = Vec::new();
    for object in objects["items"].as_array().into_iter().flatten() {
        let annotations = &object["metadata"]["annotations"];
        kept.extend(GIVEN.iter().filter_map(|key| annotations[*key].as_str()));
        kept.extend(object["spec"]["loadBalancerIP"].as_str());
        if KEEP.iter().any(|key| annotations[*key] == "true") {
            let ingress = object["status"]["loadBalancer"]["ingress"].as_array();
            kept.extend(ingress.into_iter().flatten().filter_map(|at| at["ip"].as_str()));
        }
    }
    kept.into_iter().map(str::to_owned).collect()
}

fn balanced(services: &Value) -> Vec<(String, String)> {
    let of = |service: &Value| {
        let meta = &service["metadata"];
        let balanced = service["spec"]["type"] == "LoadBalancer";
        balanced.then(|| (text(&meta["namespace"]).to_owned(), text(&meta["name"]).to_owned()))
    };
    services["items"].as_array().into_iter().flatten().filter_map(of).collect()
}

pub(crate) fn is_workload(object: &Value) -> bool {
    matches!(object["kind"].as_str(), Some("DaemonSet" | "Deployment"))
}

/// DaemonSets count what is scheduled, Deployments what was asked for. Pods of an earlier template count for nothing, and
/// Deployments have none left.
fn workload(object: &Value) -> Look<()> {
    let status = &object["status"];
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let (ready, new, old, wanted) = match object["kind"].as_str() {
        Some("DaemonSet") => (
            count(&status["numberReady"]),
            count(&status["updatedNumberScheduled"]),
            0,
            count(&status["desiredNumberScheduled"]),
        ),
        _ => {
            let new = count(&status["updatedReplicas"]);
            let old = count(&status["replicas"]).saturating_sub(new);
            (count(&status["readyReplicas"]), new, old, count(&object["spec"]["replicas"]))
        }
    };
    let seen = count(&status["observedGeneration"]) >= count(&object["metadata"]["generation"]);
    if seen && wanted > 0 && ready >= wanted && new >= wanted && old == 0 {
        return Ok(());
    }
    let name = text(&object["metadata"]["name"]);
    if ready < wanted || wanted == 0 {
        return Err(format!("{name}: {ready} of {wanted} pods are ready"));
    }
    Err(format!("{name}: {} of {wanted} pods are replaced", new.min(wanted)))
}

/// The path of an object of the kinds in our own manifests.
pub(crate) fn path_of(object: &Value) -> Result<String> {
    let (api, kind, name) =
        (text(&object["apiVersion"]), text(&object["kind"]), text(&object["metadata"]["name"]));
    let plural = match kind {
        "Namespace" => "namespaces",
        "ServiceAccount" => "serviceaccounts",
        "ConfigMap" => "configmaps",
        "Secret" => "secrets",
        "Role" => "roles",
        "RoleBinding" => "rolebindings",
        "ClusterRole" => "clusterroles",
        "ClusterRoleBinding" => "clusterrolebindings",
        "DaemonSet" => "daemonsets",
        "Deployment" => "deployments",
        "CSIDriver" => "csidrivers",
        "StorageClass" => "storageclasses",
        "CustomResourceDefinition" => "customresourcedefinitions",
        "VolumeSnapshotClass" => "volumesnapshotclasses",
        other => return Err(Error::Internal(format!("an addon has an object of the kind `{other}`"))),
    };
    let root = if api.contains('/') { format!("/apis/{api}") } else { format!("/api/{api}") };
    Ok(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}/{name}"),
        None => format!("{root}/{plural}/{name}"),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn said(status: StatusCode, body: &Value) -> String {
    let message = body["message"].as_str().or_else(|| body.as_str()).unwrap_or_default();
    let first = message.lines().find(|line| !line.is_empty()).unwrap_or("no reason given");
    format!("HTTP {}: {first}", status.as_u16())
}

/// reqwest's own text names the URL and hides the reason.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { innermost.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addons;
    use crate::plan::sample;

    #[test]
    fn every_object_of_the_addons_has_a_path() {
        let mut wanted = sample::wanted(1);
        wanted.addons = crate::Addon::ALL.into_iter().collect();
        let connection = openstack::Connection {
            auth_url: "http://172.24.4.1:5000/v3".into(),
            region: None,
            interface: None,
            ca: None,
            insecure: false,
        };
        let inputs = addons::Inputs {
            wanted: &wanted,
            connection: &connection,
            project: "project",
            credential: Some(&crate::state::Credential { id: "id".into(), secret: "secret".into() }),
            place: addons::Place { subnet: "subnet", router: None, load_balancers: true },
            api_address: "10.6.0.10",
        };
        let mut objects = addons::flannel(&wanted, "10.6.0.10").unwrap();
        for time in [addons::Time::BeforeNodes, addons::Time::AfterNodes] {
            objects.extend(addons::objects(&inputs, time).unwrap());
        }
        let paths: Vec<String> = objects.iter().map(|object| path_of(object).unwrap()).collect();
        insta::assert_snapshot!(paths.join("\n"));
    }

    #[test]
    fn nodes_are_ready_when_their_condition_says_so() {
        let node = |name: &str, ready: &str| {
            json!({"metadata": {"name": name}, "status": {"conditions": [
                {"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": ready}]}})
        };
        let nodes =
            Nodes::read(&json!({"items": [node("a", "True"), node("b", "False"), node("c", "Unknown")]}));
        assert_eq!(nodes.present, ["a", "b", "c"]);
        assert_eq!(nodes.ready, ["a"]);
    }

    #[test]
    fn workloads_are_ready_when_all_pods_are() {
        let daemon_set = |ready: u64, new: u64, wanted: u64| {
            json!({"kind": "DaemonSet", "metadata": {"name": "f", "generation": 1},
                   "status": {"observedGeneration": 1, "numberReady": ready, "updatedNumberScheduled": new,
                              "desiredNumberScheduled": wanted}})
        };
        assert_eq!(workload(&daemon_set(2, 2, 2)), Ok(()));
        assert_eq!(workload(&daemon_set(1, 2, 2)), Err("f: 1 of 2 pods are ready".to_owned()));
        // Nothing scheduled yet is not "ready".
        assert!(workload(&daemon_set(0, 0, 0)).is_err());
        let deployment = |seen: u64, all: u64, new: u64| {
            json!({"kind": "Deployment", "metadata": {"name": "d", "generation": 2}, "spec": {"replicas": 2},
                   "status": {"observedGeneration": seen, "replicas": all, "updatedReplicas": new, "readyReplicas": 2}})
        };
        assert_eq!(workload(&deployment(2, 2, 2)), Ok(()));
        assert!(workload(&deployment(1, 2, 2)).is_err());
        // Pods of the template before are ready, and not what was asked for.
        assert_eq!(workload(&daemon_set(2, 1, 2)), Err("f: 1 of 2 pods are replaced".to_owned()));
        assert_eq!(workload(&deployment(2, 3, 1)), Err("d: 1 of 2 pods are replaced".to_owned()));
        assert!(workload(&deployment(2, 3, 2)).is_err());
    }

    #[test]
    fn what_is_to_be_kept_and_given_back_is_read_from_the_cluster() {
        let volume = |driver: &str, policy: &str, handle: &str| json!({"spec": {"persistentVolumeReclaimPolicy": policy, "csi": {"driver": driver, "volumeHandle": handle}}});
        let volumes = json!({"items": [
            volume("cinder", "Retain", "a"), volume("cinder", "Delete", "b"), volume("nfs", "Retain", "c"),
            {"spec": {"persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/"}}},
        ]});
        assert_eq!(retained(&volumes, "cinder"), ["a"]);
        let at = |ip: &str, annotations: Value| json!({"metadata": {"annotations": annotations}, "status": {"loadBalancer": {"ingress": [{"ip": ip}]}}});
        let objects = json!({"items": [
            at("1.1.1.1", json!({"loadbalancer.openstack.org/keep-floatingip": "true"})),
            at("2.2.2.2", json!({"octavia.ingress.kubernetes.io/keep-floatingip": "false"})),
            at("3.3.3.3", json!({"octavia.ingress.kubernetes.io/floatingip": "3.3.3.3"})),
            {"metadata": {}, "spec": {"type": "LoadBalancer", "loadBalancerIP": "4.4.4.4"}},
        ]});
        assert_eq!(addresses_to_keep(&objects), ["1.1.1.1", "3.3.3.3", "4.4.4.4"]);
        let service = |name: &str, kind: &str| json!({"metadata": {"namespace": "n", "name": name}, "spec": {"type": kind}});
        let services = json!({"items": [service("web", "LoadBalancer"), service("db", "ClusterIP")]});
        assert_eq!(balanced(&services), [("n".to_owned(), "web".to_owned())]);
    }

    #[test]
    fn a_client_is_made_from_our_certificates() {
        let pki = Pki::generate().unwrap();
        Kubernetes::new(&sample::wanted(1), &pki, "https://172.24.4.7:6443").unwrap();
    }
}
