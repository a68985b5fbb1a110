//! What a first start makes beside `admin`: a network, a router and a group for the project `demo`, so that its user
//! can create a server at once. Through the same routes, checks and quotas as everybody's.

use std::sync::Arc;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use base::{Auth, DomainRef, Error, ProjectRef, Scope, UserRef};
use serde_json::{Value, json};
use tower::ServiceExt;
use web::Router;

use crate::assemble::Cloud;
use crate::config::{Config, Identity};

pub const DEMO: &str = "demo";
const SUBNET: &str = "10.0.0.0/24";
/// Lets everything in.
const GROUP: &str = "open";

/// True: it was made now. Once done, it is never done again: whoever deletes it is rid of it. A kill before it is done
/// makes the next start go on.
pub async fn demo(cloud: &Cloud, config: &Config) -> anyhow::Result<bool> {
    let Some(user) = &cloud.demo else { return Ok(false) };
    let network = Api(cloud.neutron.router(Arc::new(As::new(user))));
    make(&network, cloud.external.get().map(String::as_str))
        .await
        .context("cannot make the demo project's network")?;
    Identity::change(&config.data, |identity| identity.demo_made = true)?;
    Ok(true)
}

async fn make(network: &Api, external: Option<&str>) -> anyhow::Result<()> {
    let net =
        network.ensure("network", json!({"name": DEMO, "description": "Made at the first start"})).await?;
    let subnet = network
        .ensure("subnet", json!({"name": DEMO, "network_id": net, "ip_version": 4, "cidr": SUBNET}))
        .await?;
    let mut router = json!({"name": DEMO});
    if let Some(external) = external {
        router["external_gateway_info"] = json!({"network_id": external});
    }
    let router = network.ensure("router", router).await?;
    let ports = network.get(&format!("/v2.0/ports?device_id={router}&network_id={net}")).await?;
    if ports["ports"].as_array().is_none_or(Vec::is_empty) {
        let path = format!("/v2.0/routers/{router}/add_router_interface");
        network.call(Method::PUT, &path, Some(&json!({"subnet_id": subnet}))).await?;
    }
    let group = json!({"name": GROUP, "description": "Lets everything in"});
    let group = network.ensure("security_group", group).await?;
    let known = network
        .get(&format!("/v2.0/security-group-rules?security_group_id={group}&direction=ingress"))
        .await?;
    for kind in ["IPv4", "IPv6"] {
        let there = known["security_group_rules"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|rule| rule["ethertype"] == kind);
        if !there {
            let rule = json!({"security_group_id": group, "direction": "ingress", "ethertype": kind});
            network
                .call(Method::POST, "/v2.0/security-group-rules", Some(&json!({"security_group_rule": rule})))
                .await?;
        }
    }
    Ok(())
}

/// Who the demo project's things are made for.
#[derive(Debug, Clone)]
pub struct DemoUser {
    pub user_id: String,
    pub project_id: String,
}

/// Lets every token in as this user; no listener ever sees the router behind it.
struct As(Arc<Auth>);

impl As {
    fn new(demo: &DemoUser) -> Self {
        let domain = DomainRef { id: "default".into(), name: "Default".into() };
        As(Arc::new(Auth {
            user: UserRef { id: demo.user_id.clone(), name: DEMO.into(), domain: domain.clone() },
            scope: Scope::Project(ProjectRef { id: demo.project_id.clone(), name: DEMO.into(), domain }),
            roles: vec!["member".into(), "reader".into()],
            expires_at: jiff::Timestamp::MAX,
            is_admin: false,
        }))
    }
}

#[async_trait]
impl web::Verify for As {
    async fn verify(&self, _: &str) -> Result<Arc<Auth>, Error> {
        Ok(self.0.clone())
    }
}

struct Api(Router);

impl Api {
    /// The id of the thing of that name, made if it is not there.
    async fn ensure(&self, kind: &str, body: Value) -> anyhow::Result<String> {
        let path = format!("/v2.0/{}s", kind.replace('_', "-"));
        let name = body["name"].as_str().unwrap_or_default();
        let found = self.get(&format!("{path}?name={name}")).await?;
        let id = match found[format!("{kind}s")].as_array().and_then(|all| all.first()) {
            Some(known) => known["id"].clone(),
            None => self.call(Method::POST, &path, Some(&json!({kind: body}))).await?[kind]["id"].clone(),
        };
        id.as_str().map(str::to_owned).with_context(|| format!("a {kind} without an id"))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = Request::builder().method(&method).uri(path).header("x-auth-token", "first-start");
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self.0.clone().oneshot(request.body(body)?).await?;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await?;
        ensure!(status.is_success(), "{method} {path}: {status}: {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }
}
