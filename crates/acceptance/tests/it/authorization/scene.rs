//! The things that are called: the fixture's, what hangs on them, and how to put right what a call has ended.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Client, Cloud, Route, text};

use super::paths::{fill, is_own, noun, query, version};
use super::{actions, bodies};
use crate::fixture::Fixture;

/// One way to call a route.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    /// What the row says beside the path: the action.
    pub about: &'static str,
    /// In a list: the id of the owner's thing that it may show.
    pub shows: Option<String>,
    headers: Vec<(&'static str, String)>,
}

pub struct Scene {
    pub fixture: Fixture,
    /// By noun: what hangs on a thing of the fixture and is made by a POST.
    parts: BTreeMap<&'static str, String>,
    host: String,
    /// Paths that have a PUT.
    puts: BTreeSet<String>,
    /// The token that calls about tokens are about.
    subject: String,
}

/// What the row of a grant says that gives role `admin`.
const ADMIN_ROLE: &str = "(role admin)";

/// The id of nothing.
pub const NOBODY: &str = "11111111-1111-1111-1111-111111111111";

impl Scene {
    pub async fn make(cloud: &Cloud) -> Scene {
        let fixture = Fixture::make(cloud).await;
        let admin = fixture.admin.clone();
        let roles = admin.get("/identity/v3/roles").await.expect(200);
        let role = |name: &str| {
            let found = roles["roles"].as_array().unwrap().iter().find(|role| role["name"] == name);
            text(&found.unwrap()["id"]).to_owned()
        };
        let parts = [("member", role("member")), ("reader", role("reader")), ("admin", role("admin"))];
        let hosts = admin.get("/compute/v2.1/os-hypervisors").await.expect(200);
        let mut scene = Scene {
            host: text(&hosts["hypervisors"][0]["hypervisor_hostname"]).into(),
            subject: String::new(),
            parts: parts.into(),
            puts: BTreeSet::new(),
            fixture,
        };
        scene.puts = cloud.routes().into_iter().filter(|r| r.method == "PUT").map(|r| r.path).collect();
        scene.log_in().await;
        scene.connect().await;
        for noun in bodies::PARTS {
            scene.remake_part(noun).await;
        }
        scene.remake_part("registered_limits").await;
        scene.remake_access_rule().await;
        scene.look().await;
        scene
    }

    /// Ids that the cloud has chosen.
    async fn look(&mut self) {
        let server = format!("/compute/v2.1/servers/{}", self.id("compute", "servers"));
        for (noun, path, place) in [
            ("os-instance-actions", format!("{server}/os-instance-actions"), "/instanceActions/0/request_id"),
            ("os-interface", format!("{server}/os-interface"), "/interfaceAttachments/0/port_id"),
            ("agents", "/network/v2.0/agents".into(), "/agents/0/id"),
        ] {
            let client = if noun == "agents" { &self.fixture.admin } else { &self.fixture.owner };
            let answer = client.get(&path).await.expect(200);
            let id = text(answer.pointer(place).unwrap_or(&Value::Null)).to_owned();
            self.parts.insert(noun, id);
        }
        let services =
            self.fixture.admin.get("/volume/v3/os-services?binary=cinder-volume").await.expect(200);
        self.parts.insert("backend", text(&services["services"][0]["host"]).to_owned());
        let ips = self.fixture.owner.get(&format!("{server}/ips")).await.expect(200);
        let network = ips["addresses"].as_object().and_then(|map| map.keys().next());
        self.parts.insert("ips", network.expect("an address").clone());
    }

    /// An access rule that no credential uses: one in use cannot be deleted by anybody.
    async fn remake_access_rule(&mut self) {
        let path = format!("/identity/v3/users/{}/application_credentials", self.owner());
        let name = format!("rules-{}", self.fixture.next());
        let rules = json!([{"path": format!("/v2.1/{name}"), "method": "GET", "service": "compute"}]);
        let body = json!({"application_credential": {"name": name, "access_rules": rules}});
        let made = self.fixture.owner.post(&path, body).await.expect(201);
        let made = &made["application_credential"];
        self.parts.insert("access_rules", text(&made["access_rules"][0]["id"]).into());
        self.fixture.owner.delete(&format!("{path}/{}", text(&made["id"]))).await.expect(204);
    }

    /// The router leads out, so that floating IPs reach the fixture's port.
    async fn connect(&mut self) {
        let router = format!("/network/v2.0/routers/{}", self.id("network", "routers"));
        let gateway = json!({"network_id": self.id("network", "external")});
        let owner = &self.fixture.owner;
        owner.put(&router, json!({"router": {"external_gateway_info": gateway}})).await.expect(200);
        let subnet = json!({"subnet_id": self.id("network", "subnets")});
        owner.put(&format!("{router}/add_router_interface"), subnet).await.expect(200);
        let port =
            owner.get(&format!("/network/v2.0/ports/{}", self.id("network", "ports"))).await.expect(200);
        self.parts.insert("address", text(&port["port"]["fixed_ips"][0]["ip_address"]).into());
    }

    async fn log_in(&mut self) {
        let scope = json!({"project": {"id": self.fixture.owner.project_id}});
        let url = &self.fixture.owner.url;
        self.subject = Client::with_scope(url, self.owner(), testkit::PASSWORD, scope).await.token;
    }

    pub fn id(&self, service: &'static str, noun: &'static str) -> &str {
        self.fixture.id(service, noun)
    }

    pub fn part(&self, noun: &str) -> &str {
        self.parts.get(noun).map_or(NOBODY, String::as_str)
    }

    /// The user whose things they are.
    pub fn owner(&self) -> &str {
        &self.fixture.owner.user_id
    }

    /// No two changes are the same, so that each is one.
    pub fn number(&self) -> u32 {
        self.fixture.count()
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn calls(&self, route: &Route) -> Vec<Call> {
        let method: Method = route.method.parse().unwrap();
        let path = self.filled(route);
        let call = |about, body, version: &str| {
            let mut headers = vec![("openstack-api-version", format!("{} {version}", route.service))];
            if route.path.ends_with("/auth/tokens") {
                headers.push(("x-subject-token", self.subject.clone()));
            }
            if route.method == "PATCH" && route.service == "image" {
                headers.push(("content-type", "application/openstack-images-v2.1-json-patch".into()));
            } else if route.path.ends_with("/file") || route.path.ends_with("/stage") {
                headers.push(("content-type", "application/octet-stream".into()));
            }
            let shows = self.shows(route);
            Call { method: method.clone(), path: path.clone(), body, about, shows, headers }
        };
        if route.path.ends_with("/servers/{id}/action") {
            let ids = actions::Ids {
                host: &self.host,
                network: self.id("network", "networks"),
                flavor: self.id("compute", "flavors"),
                image: self.id("image", "images"),
            };
            let action =
                |(about, body, version)| call(about, Some(json!({ actions::name(about): body })), version);
            return actions::all(&ids).into_iter().map(action).collect();
        }
        if route.path.ends_with("/volumes/{id}/action") {
            let action = |(about, body)| call(about, Some(json!({ about: body })), "3.70");
            return actions::of_volumes().into_iter().map(action).collect();
        }
        let body =
            matches!(route.method, "POST" | "PUT" | "PATCH").then(|| bodies::of(self, route)).flatten();
        let usual = call("", body.clone(), version(route));
        if route.method == "PUT" && route.path.contains("/roles/{role_id}") {
            // Who gives away more than they have makes themselves an admin.
            let path = usual.path.replace(self.part("reader"), self.part("admin"));
            return vec![usual, Call { path, ..call(ADMIN_ROLE, body, version(route)) }];
        }
        vec![usual]
    }

    /// The same call about what is there now, and with names that nobody has used.
    pub fn fresh(&mut self, route: &Route, call: &Call) -> Call {
        let number = self.fixture.next();
        let again = self.calls(route).into_iter().find(|again| again.about == call.about);
        let mut call = again.expect("the call that was made of the same route");
        if route.method == "POST" && call.about.is_empty() {
            if let Some((service, noun)) = self.fixture.made_at(&call.path) {
                call.body = Some(self.fixture.fresh(service, noun));
            } else {
                let parts = bodies::PARTS.iter().map(|noun| bodies::part(self, noun, number));
                let made = parts.into_iter().find(|(_, path, _)| *path == call.path);
                call.body = made.map_or(call.body, |(.., body)| Some(body));
            }
        }
        call
    }

    pub async fn send(&self, client: &Client, call: &Call) -> Answer {
        let mut request = client.request(call.method.clone(), &call.path);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &call.body {
            let typed = call.headers.iter().any(|(name, _)| *name == "content-type");
            request = if typed { request.body(body.to_string()) } else { request.json(body) };
        }
        client.execute(request.build().expect("a request")).await.expect("the cloud answers")
    }

    /// What a PUT of the same path makes is there before it is looked at or ended.
    pub async fn prepare(&self, route: &Route) {
        if !matches!(route.method, "GET" | "HEAD" | "DELETE") {
            return;
        }
        let admin = &self.fixture.admin;
        if route.path.contains("/domains/{domain_id}/config") {
            let path = format!("/identity/v3/domains/{}/config", self.id("identity", "domains"));
            admin.put(&path, bodies::CONFIG.clone()).await;
        } else if route.path.ends_with("/os-extra_specs/{key}") {
            let path = format!("/compute/v2.1/flavors/{}/os-extra_specs", self.id("compute", "flavors"));
            admin.post(&path, json!({"extra_specs": {"key": "value"}})).await.expect(200);
        } else if route.path.contains("/inventories") || route.path.contains("/allocations") {
            self.stock().await;
        } else if route.path.ends_with("/members/{member}") || route.path.ends_with("/resource_types/{name}")
        {
            let (list, _) = route.path.rsplit_once('/').expect("a path of parts");
            self.send_as_admin(&Route { method: "POST", path: list.into(), ..route.clone() }).await;
        } else if self.puts.contains(&route.path) && self.made(route).is_none() {
            self.send_as_admin(&Route { method: "PUT", ..route.clone() }).await;
        }
    }

    async fn send_as_admin(&self, route: &Route) {
        for call in self.calls(route) {
            self.send(&self.fixture.admin, &call).await;
        }
    }

    /// The fixture's provider has something, and a consumer has some of it.
    async fn stock(&self) {
        let provider =
            format!("/placement/resource_providers/{}", self.id("placement", "resource_providers"));
        let admin = &self.fixture.admin;
        let generation = admin.get(&provider).await.expect(200)["generation"].clone();
        let inventory =
            json!({"resource_provider_generation": generation, "inventories": {"VCPU": {"total": 4}}});
        admin.put(&format!("{provider}/inventories"), inventory).await;
        self.send_as_admin(&Route {
            service: "placement",
            method: "PUT",
            path: "/placement/allocations/{consumer}".into(),
            policy: "",
            is_public: false,
        })
        .await;
    }

    /// Puts back what the call has ended.
    pub async fn mend(&mut self, route: &Route, call: &Call) {
        if call.about == "forceDelete" {
            self.fixture.remake("compute", "servers").await;
            return self.look().await;
        }
        if route.path.ends_with("/remove_router_interface") {
            return self.connect().await;
        }
        if route.method != "DELETE" {
            return;
        }
        if route.path.ends_with("/auth/tokens") {
            return self.log_in().await;
        }
        if route.path.ends_with("/os-interface/{port}") {
            let path = format!("/compute/v2.1/servers/{}/os-interface", self.id("compute", "servers"));
            let body = json!({"interfaceAttachment": {"net_id": self.id("network", "networks")}});
            let answer = self.fixture.owner.post(&path, body).await.expect(200);
            self.parts.insert("os-interface", text(&answer["interfaceAttachment"]["port_id"]).into());
            return;
        }
        if route.path.ends_with("/access_rules/{access_rule_id}") {
            return self.remake_access_rule().await;
        }
        match self.made(route) {
            Some(Made::Thing(service, noun)) => self.fixture.remake(service, noun).await,
            Some(Made::Part(noun)) => self.remake_part(noun).await,
            None => self.prepare(route).await,
        }
    }

    /// What a route of one thing is about, if it is made by a POST.
    fn made(&self, route: &Route) -> Option<Made> {
        let noun = noun(route);
        if !route.path.ends_with('}') {
            return None;
        }
        let noun = noun.trim_start_matches("alias_");
        if let Some(part) = bodies::PARTS.iter().find(|part| **part == noun) {
            return Some(Made::Part(part));
        }
        let (service, noun) = match (route.service, noun) {
            // Nova's proxies.
            ("compute", "images") => ("image", "images"),
            ("volume", "os-volume-transfer") => ("volume", "volume-transfers"),
            ("compute", "os-security-groups") => ("network", "security-groups"),
            ("compute", "os-floating-ips") => ("network", "floatingips"),
            other => other,
        };
        let is_whole = route.path.matches('{').count() == 1 || matches!(noun, "application_credentials");
        self.fixture
            .known(service, noun)
            .filter(|_| is_whole)
            .map(|(service, noun)| Made::Thing(service, noun))
    }

    async fn remake_part(&mut self, noun: &'static str) {
        let number = self.fixture.next();
        let (as_admin, path, body) = bodies::part(self, noun, number);
        let client = if as_admin { &self.fixture.admin } else { &self.fixture.owner };
        let answer = client.post(&path, body).await;
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
        if noun == "registered_limits" {
            let name = text(&answer.body[noun][0]["resource_name"]).to_owned();
            // The first is the one that limits are of: it cannot be deleted.
            self.parts.entry("registered_limits.name").or_insert(name);
        }
        self.parts.insert(noun, bodies::id_of_part(noun, &answer.body));
    }

    /// The id that a list of this route shows to whoever may see the owner's thing.
    fn shows(&self, route: &Route) -> Option<String> {
        let noun = noun(route);
        let path = route.path.trim_end_matches("/detail");
        let is_list = path.ends_with(noun) && !path.contains("{id}") && is_own(route.service, noun);
        if route.method != "GET" || !is_list {
            return None;
        }
        Some(fill(self, route, noun, "{id}")).filter(|id| *id != NOBODY && *id != "key").map(str::to_owned)
    }

    fn filled(&self, route: &Route) -> String {
        let mut noun = "";
        let mut path = String::new();
        for part in route.path.split('/').skip(1) {
            path.push('/');
            if part.starts_with('{') {
                path.push_str(fill(self, route, noun, part));
            } else {
                path.push_str(part);
                noun = part;
            }
        }
        path + &query(self, route)
    }
}

enum Made {
    Thing(&'static str, &'static str),
    Part(&'static str),
}
