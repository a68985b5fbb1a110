//! Every route with what no client should send: never a 500, and always a fault in the service's own shape.
//!
//! A body begins as what the API itself shows of such a thing and is spoilt in a few places, so that most of it passes
//! the first checks. `FUZZ_CASES` (6 a route) and `FUZZ_SEED` decide how long and which.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Map, Value, json};
use testkit::{Answer, Client, Cloud, Route};

use crate::fixture::Fixture;
use crate::weird;

struct Case {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

impl Case {
    fn tell(&self) -> String {
        let body =
            self.body.as_ref().map(|b| String::from_utf8_lossy(b).chars().take(1500).collect::<String>());
        format!("{} {} {:?} {}", self.method, self.path, self.headers, body.unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_makes_a_500() {
    let number =
        |name, default| std::env::var(name).map_or(default, |t: String| t.parse::<u64>().expect("a number"));
    let cases = number("FUZZ_CASES", 6);
    let seed = number("FUZZ_SEED", rand::random::<u32>().into());
    println!("FUZZ_SEED={seed} FUZZ_CASES={cases}");
    let mut dice = StdRng::seed_from_u64(seed);
    let cloud = Cloud::start().await;
    let mut fixture = Fixture::make(&cloud).await;
    let samples = Samples::look(&cloud.routes(), &fixture).await;
    let mut wrong = Vec::new();
    for route in cloud.routes() {
        for _ in 0..cases {
            let case = make(&mut dice, &route, &fixture, &samples);
            let client = if dice.random_bool(0.2) { &fixture.owner } else { &fixture.admin };
            let Some(answer) = send(client, &case).await else { continue };
            if let Some(what) = judge(&route, &answer) {
                wrong.push(format!("{}\n    {what}", case.tell()));
            }
            mend(&mut fixture, &cloud, &route, &answer).await;
        }
    }
    assert!(
        wrong.is_empty(),
        "FUZZ_SEED={seed} FUZZ_CASES={cases}: {} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What the API shows of things, as the beginning of what it may be sent.
struct Samples(Vec<(String, Value)>);

impl Samples {
    async fn look(routes: &[Route], fixture: &Fixture) -> Samples {
        let mut samples = Vec::new();
        for route in routes.iter().filter(|r| r.method == "GET" && r.path.ends_with('}')) {
            let path = filled(route, fixture, None);
            let answer = fixture.admin.get(&path).await;
            if answer.status == 200 && answer.body.is_object() {
                samples.push((route.path.clone(), answer.body));
            }
        }
        Samples(samples)
    }

    /// For `PUT ../{id}` the thing itself, for `POST ..` one of its list, for anything else nothing.
    fn of(&self, path: &str) -> Option<&Value> {
        let is =
            |sample: &str| sample == path || sample.rsplit_once('/').is_some_and(|(list, _)| list == path);
        self.0.iter().find(|(sample, _)| is(sample)).map(|(_, body)| body)
    }
}

/// The route's path with ids that exist, or sometimes anything.
fn filled(route: &Route, fixture: &Fixture, mut dice: Option<&mut StdRng>) -> String {
    let mut noun = "";
    let mut path = String::new();
    for part in route.path.split('/').skip(1) {
        path.push('/');
        if !part.starts_with('{') {
            path.push_str(part);
            noun = part;
            continue;
        }
        let chance = if route.method == "DELETE" { 0.8 } else { 0.3 };
        let odd = dice.as_mut().and_then(|dice| dice.random_bool(chance).then(|| weird::text(dice)));
        let known = fixture.fill(route.service, noun).unwrap_or("11111111-1111-1111-1111-111111111111");
        path.push_str(&weird::encode(odd.as_deref().unwrap_or(known)));
    }
    path
}

fn make(dice: &mut StdRng, route: &Route, fixture: &Fixture, samples: &Samples) -> Case {
    let mut path = filled(route, fixture, Some(dice));
    if dice.random_bool(0.5) {
        path = format!("{path}?{}", weird::query(dice));
    }
    let mut headers = Vec::new();
    if dice.random_bool(0.8) {
        let version = match dice.random_range(0..8) {
            0 => weird::text(dice).chars().filter(|c| c.is_ascii_graphic()).collect(),
            1 => "2.1".into(),
            2 => format!("2.{}", dice.random_range(1..97)),
            3 => format!("1.{}", dice.random_range(0..40)),
            4 => format!("3.{}", dice.random_range(0..71)),
            _ => "latest".to_owned(),
        };
        headers.push(("openstack-api-version", format!("{} {version}", route.service)));
    }
    let takes_body = !matches!(route.method, "GET" | "HEAD") && dice.random_bool(0.95);
    let body = takes_body.then(|| {
        let kind = if route.method == "PATCH" && route.service == "image" {
            "application/openstack-images-v2.1-json-patch"
        } else {
            "application/json"
        };
        let kind = if dice.random_bool(0.95) { kind.to_owned() } else { "text/plain; charset=\"".into() };
        headers.push(("content-type", kind));
        body(dice, route, samples)
    });
    Case { method: route.method.parse().expect("a method"), path, headers, body }
}

fn body(dice: &mut StdRng, route: &Route, samples: &Samples) -> Vec<u8> {
    if dice.random_bool(0.05) {
        let broken = ["{", "{\"a\": }", "[1, 2", "\u{0}", "nul", "{\"a\": 1, \"a\": 2}", "\"\\ud800\""];
        return broken.choose(dice).unwrap_or(&"").as_bytes().to_vec();
    }
    let mut body = if route.path.ends_with("/servers/{id}/action") {
        action(dice)
    } else if route.path.ends_with("/volumes/{id}/action") {
        let all = crate::authorization::volume_actions();
        all.choose(dice).map_or(Value::Null, |(about, body)| json!({ *about: body }))
    } else if route.path.ends_with("/auth/tokens") {
        login()
    } else if route.method == "PATCH" && route.service == "image" {
        json!([{"op": "replace", "path": "/name", "value": "x"}, {"op": "add", "path": "/key", "value": "x"}])
    } else {
        match samples.of(&route.path) {
            Some(sample) => part(dice, sample),
            None => weird::value(dice, 0),
        }
    };
    for _ in 0..dice.random_range(0..4) {
        weird::spoil(dice, &mut body);
    }
    serde_json::to_vec(&body).expect("JSON")
}

/// A few of the fields of what is shown: all of them would fail for the first that may not be sent.
fn part(dice: &mut StdRng, sample: &Value) -> Value {
    let some = |map: &Map<String, Value>, dice: &mut StdRng| {
        let kept = map.iter().filter(|_| dice.random_bool(0.35)).map(|(k, v)| (k.clone(), v.clone()));
        kept.collect::<Map<_, _>>()
    };
    match sample.as_object() {
        Some(map) if map.len() == 1 => {
            let wrapped = map.iter().map(|(k, v)| {
                let v = v.as_object().map_or_else(|| v.clone(), |inner| Value::Object(some(inner, dice)));
                (k.clone(), v)
            });
            Value::Object(wrapped.collect())
        }
        Some(map) => Value::Object(some(map, dice)),
        None => sample.clone(),
    }
}

fn login() -> Value {
    let user = json!({"name": "admin", "domain": {"id": "default"}, "password": "wrong"});
    json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"system": {"all": true}}}})
}

fn action(dice: &mut StdRng) -> Value {
    let id = "11111111-1111-1111-1111-111111111111";
    let actions = [
        json!({"reboot": {"type": "SOFT"}}),
        json!({"os-stop": null}),
        json!({"os-start": null}),
        json!({"pause": null}),
        json!({"lock": {"locked_reason": "x"}}),
        json!({"rebuild": {"imageRef": id, "name": "x", "metadata": {}, "user_data": "eA=="}}),
        json!({"resize": {"flavorRef": "1"}}),
        json!({"createImage": {"name": "x", "metadata": {"a": "b"}}}),
        json!({"createBackup": {"name": "x", "backup_type": "daily", "rotation": 1}}),
        json!({"rescue": {"adminPass": "x", "rescue_image_ref": id}}),
        json!({"shelve": null}),
        json!({"unshelve": {"availability_zone": "nova"}}),
        json!({"os-getConsoleOutput": {"length": 10}}),
        json!({"os-getVNCConsole": {"type": "novnc"}}),
        json!({"os-resetState": {"state": "active"}}),
        json!({"changePassword": {"adminPass": "x"}}),
        json!({"addSecurityGroup": {"name": "default"}}),
        json!({"addFloatingIp": {"address": "172.24.4.9"}}),
        json!({"addFixedIp": {"networkId": id}}),
        json!({"os-migrateLive": {"host": null, "block_migration": "auto"}}),
        json!({"evacuate": {"host": "x"}}),
    ];
    actions.choose(dice).cloned().unwrap_or(Value::Null)
}

/// None: HTTP itself cannot carry it.
async fn send(client: &Client, case: &Case) -> Option<Answer> {
    let mut request = client.request(case.method.clone(), &case.path);
    for (name, value) in &case.headers {
        request = request.header(*name, value);
    }
    if let Some(body) = &case.body {
        request = request.body(body.clone());
    }
    let request = request.build().ok()?;
    Some(client.execute(request).await.unwrap_or_else(|e| panic!("no answer ({e}) to {}", case.tell())))
}

fn judge(route: &Route, answer: &Answer) -> Option<String> {
    let Answer { status, body, headers } = answer;
    if *status >= 500 && *status != 501 {
        return Some(format!("{status} {body}"));
    }
    if !headers.contains_key("x-openstack-request-id") {
        return Some(format!("{status} without a request id"));
    }
    if *status < 400 || route.method == "HEAD" {
        return None;
    }
    let shown = match status {
        // OAuth has a form of its own, which its clients know.
        _ if route.path.ends_with("/OS-OAUTH2/token") => {
            body["error"].is_string() && body["error_description"].is_string()
        }
        401 => body["error"]["message"].is_string(),
        _ => is_fault(route.service, body),
    };
    (!shown).then(|| format!("{status} is no fault of {}: {body}", route.service))
}

fn is_fault(service: &str, body: &Value) -> bool {
    match service {
        "identity" => body["error"]["message"].is_string() && body["error"]["code"].is_number(),
        "compute" | "volume" => body.as_object().is_some_and(|o| {
            o.len() == 1 && o.values().all(|v| v["message"].is_string() && v["code"].is_number())
        }),
        "network" => body["NeutronError"]["type"].is_string() && body["NeutronError"]["message"].is_string(),
        "image" => body["message"].is_string() && body["code"].is_string(),
        "placement" => body["errors"][0]["status"].is_number() && body["errors"][0]["detail"].is_string(),
        "load-balancer" => {
            body["faultstring"].is_string() && body["faultcode"].is_string() && body["debuginfo"].is_null()
        }
        "key-manager" => {
            body["title"].is_string() && body["description"].is_string() && body["code"].is_number()
        }
        _ => false,
    }
}

/// Puts back what a case has really deleted or spoilt for the next ones.
async fn mend(fixture: &mut Fixture, cloud: &Cloud, route: &Route, answer: &Answer) {
    if answer.status == 401 && !route.path.ends_with("/auth/tokens") && !route.is_public {
        fixture.admin = cloud.admin().await;
        return;
    }
    if answer.status < 300 && route.method != "GET" && route.path.contains("quota") {
        fixture.set_quotas().await;
    }
    if answer.status >= 300 || !(route.method == "DELETE" && route.path.ends_with('}')) {
        return;
    }
    let noun = route.path.rsplit('/').nth(1).unwrap_or_default();
    let known = fixture.ids.keys().find(|(s, n)| *s == route.service && *n == noun).copied();
    if let Some((service, noun)) = known.filter(Fixture::is_made) {
        fixture.remake(service, noun).await;
    }
}
