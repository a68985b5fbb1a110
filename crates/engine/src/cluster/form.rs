//! The machines run; from here on the cluster forms by itself, and we watch, apply the pod network, and wait.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::execute::Executor;
use crate::kubernetes::{self, Kubernetes, Look};
use crate::node::{Node, Role};
use crate::progress::Progress;
use crate::{Error, Result, addons, bootstrap};

const POLL: Duration = Duration::from_secs(2);
/// Reading a console costs the cloud more than a request to the cluster.
const CONSOLE_EVERY: Duration = Duration::from_secs(20);
const CONSOLE_LINES: u32 = 400;

const WORKLOADS: [&str; 3] = [
    "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
    "/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds",
    "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
];

pub(super) struct Forming<'a> {
    pub executor: &'a Executor<'a>,
    pub kubernetes: &'a Kubernetes,
    pub server: &'a str,
    pub progress: &'a dyn Progress,
}

impl Forming<'_> {
    pub async fn api(&self) -> Result<()> {
        let what = format!("the Kubernetes API answering at {}", self.server);
        self.wait(&what, async || self.kubernetes.ready().await, async || vec![Node::FIRST]).await
    }

    pub async fn pod_network(&self) -> Result<()> {
        let wanted = self.executor.wanted;
        let api = self.executor.world.internal_address(wanted, Node::FIRST);
        let api = api.ok_or_else(|| Error::Internal("the control plane's address is lost".to_owned()))?;
        for object in addons::flannel(wanted, api)? {
            self.apply(&object).await?;
        }
        Ok(())
    }

    /// The controllers by which the cluster uses its cloud.
    pub async fn addons(&self, time: addons::Time) -> Result<()> {
        for object in self.objects(time).await? {
            self.apply(&object).await?;
        }
        Ok(())
    }

    /// The same of a cluster that runs: what has to start again does so one after the other. All at once they would leave the
    /// API server of a small control plane no time to answer, and every one of them would be out of work meanwhile.
    pub async fn addons_in_turn(&self) -> Result<()> {
        for time in [addons::Time::BeforeNodes, addons::Time::AfterNodes] {
            for object in self.objects(time).await? {
                self.apply(&object).await?;
                if kubernetes::is_workload(&object) {
                    let path = kubernetes::path_of(&object)?;
                    let look = async || self.kubernetes.workload_ready(&path).await;
                    self.wait("the add-ons starting again", look, async || Vec::new()).await?;
                }
            }
        }
        Ok(())
    }

    async fn objects(&self, time: addons::Time) -> Result<Vec<Value>> {
        let executor = self.executor;
        let wanted = executor.wanted;
        let lost = |what: &str| Error::Internal(format!("{what} is lost"));
        let api = executor.world.internal_address(wanted, Node::FIRST);
        let connection = executor.cloud.connection()?;
        let place = addons::Place {
            subnet: executor.world.subnet_id(wanted).ok_or_else(|| lost("the subnet"))?,
            router: wanted.adopted_router.as_deref().or(executor.world.router().map(|it| it.id.as_str())),
            load_balancers: executor.cloud.capabilities().await?.load_balancers(),
        };
        let inputs = addons::Inputs {
            wanted,
            connection: &connection,
            project: &executor.cloud.project_id(),
            credential: executor.secrets.credential.as_ref(),
            place,
            api_address: api.ok_or_else(|| lost("the control plane's address"))?,
        };
        addons::objects(&inputs, time)
    }

    async fn apply(&self, object: &Value) -> Result<()> {
        let what = format!("applying {} {}", object["kind"], object["metadata"]["name"]).replace('"', "");
        loop {
            let Err(reason) = self.kubernetes.apply(object).await? else { return Ok(()) };
            self.progress.note(&reason);
            if self.executor.deadline.passed() {
                return Err(self.timeout(&what, &reason, Node::FIRST).await);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub async fn nodes(&self) -> Result<()> {
        let wanted = self.executor.wanted;
        let ready = async || -> Vec<String> {
            self.kubernetes.nodes().await.map(|nodes| nodes.ready).unwrap_or_default()
        };
        let look = async || -> Look<()> {
            let nodes = self.kubernetes.nodes().await?;
            let state = |node: Node| {
                let name = wanted.node_name(node);
                if nodes.ready.contains(&name) {
                    None
                } else if nodes.present.contains(&name) {
                    Some(format!("{name} is not ready"))
                } else {
                    Some(format!("{name} has not joined"))
                }
            };
            let waiting: Vec<String> = wanted.nodes().into_iter().filter_map(state).collect();
            if waiting.is_empty() { Ok(()) } else { Err(waiting.join(", ")) }
        };
        let suspects = async || -> Vec<Node> {
            let ready = ready().await;
            wanted.nodes().into_iter().filter(|node| !ready.contains(&wanted.node_name(*node))).collect()
        };
        self.wait("all nodes being Ready", look, suspects).await
    }

    pub async fn services(&self) -> Result<()> {
        let look = async || -> Look<()> {
            for path in WORKLOADS.into_iter().chain(addons::workloads(self.executor.wanted)) {
                self.kubernetes.workload_ready(path).await?;
            }
            // Made by a controller some time after the namespace; a pod that is created earlier is refused.
            self.kubernetes.service_account("default", "default").await
        };
        self.wait("the pod network, DNS and the add-ons being ready", look, async || Vec::new()).await
    }

    /// Look until it is so, and now and then look at the machines of `suspects` for a reason why it never will be.
    async fn wait(
        &self,
        what: &str,
        look: impl AsyncFn() -> Look<()>,
        suspects: impl AsyncFn() -> Vec<Node>,
    ) -> Result<()> {
        let mut checked = Instant::now();
        loop {
            let Err(seen) = look().await else { return Ok(()) };
            self.progress.note(&seen);
            if self.executor.deadline.passed() {
                let suspect = suspects().await.into_iter().next().unwrap_or(Node::FIRST);
                return Err(self.timeout(what, &seen, suspect).await);
            }
            if checked.elapsed() >= CONSOLE_EVERY {
                checked = Instant::now();
                for node in suspects().await {
                    self.check_machine(node).await?;
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Has the machine failed, or the bootstrap on it given up? A cloud that shows no console is no reason to stop.
    async fn check_machine(&self, node: Node) -> Result<()> {
        let executor = self.executor;
        let Some(server) = executor.world.server(executor.wanted, node) else { return Ok(()) };
        match executor.cloud.server(&server.id).await {
            Ok(now) if now.is_error() => {
                let (id, name, fault) = (now.id.clone(), now.name.clone(), now.fault_text());
                return Err(openstack::Error::ServerError { id, name, fault }.into());
            }
            Ok(now) if now.status == "SHUTOFF" => self.progress.note(&format!("{} is shut off", now.name)),
            Ok(_) => {}
            Err(error) if error.is_transient() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let Ok(console) = executor.cloud.console_log(&server.id, CONSOLE_LINES).await else { return Ok(()) };
        if !console.contains(bootstrap::FAILED) {
            return Ok(());
        }
        let log = executor.store.save_console(&executor.wanted.name, &server.name, &console)?;
        let reason = match node.role {
            Role::ControlPlane => "`kubeadm init` failed",
            Role::Worker => "`kubeadm join` failed",
        };
        Err(Error::Bootstrap { node: server.name.clone(), reason: reason.to_owned(), log })
    }

    async fn timeout(&self, what: &str, last_seen: &str, node: Node) -> Error {
        let executor = self.executor;
        let name = executor.wanted.node_name(node);
        let console = match executor.world.server(executor.wanted, node) {
            Some(server) => executor.cloud.console_log(&server.id, CONSOLE_LINES).await.ok(),
            None => None,
        };
        let saved =
            console.and_then(|text| executor.store.save_console(&executor.wanted.name, &name, &text).ok());
        let again = format!("run `cumulet cluster create {}` again to wait longer", executor.wanted.name);
        let advice = match saved {
            Some(path) => format!("the console of {name} is in {path}; {again}"),
            None => again,
        };
        Error::Timeout {
            what: what.to_owned(),
            minutes: executor.deadline.allowed().as_secs() / 60,
            last_seen: last_seen.to_owned(),
            advice,
        }
    }
}
