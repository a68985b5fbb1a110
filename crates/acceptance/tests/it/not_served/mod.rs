//! docs/not-served.md: what OpenStack's API references document and no route of ours answers. A new route that closes a line
//! makes this test fail until the page is written again, with `NOT_SERVED=write`.
//!
//! The lists beside this file are facts from those references, written by `scripts/api-ref-calls`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use testkit::{Cloud, Route};

use crate::authorization;

/// (service, whose reference, what its paths lack)
const REFERENCES: [(&str, &str, &str); 8] = [
    ("compute", include_str!("compute.txt"), "/v2.1"),
    ("identity", include_str!("identity.txt"), ""),
    ("image", include_str!("image.txt"), ""),
    ("key-manager", include_str!("key-manager.txt"), ""),
    ("load-balancer", include_str!("load-balancer.txt"), ""),
    ("network", include_str!("network.txt"), ""),
    ("placement", include_str!("placement.txt"), ""),
    ("volume", include_str!("volume.txt"), ""),
];

/// (service, how a call begins, why the real service answers it with 404 as well)
const NOWHERE: [(&str, &str, &str); 5] = [
    ("identity", "GET /v3/policies/{policy_id}/OS-ENDPOINT-POLICY/policy", MISTAKEN),
    ("identity", "HEAD /v3/policies/{policy_id}/OS-ENDPOINT-POLICY/policy", MISTAKEN),
    ("identity", "GET /v2.0/", "Keystone has no v2.0 any more"),
    ("identity", "DELETE /v2.0/", "Keystone has no v2.0 any more"),
    ("identity", "POST /v2.0/", "Keystone has no v2.0 any more"),
];
const MISTAKEN: &str =
    "Keystone has no such route; /v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy is meant";

const HEAD: &str = "# Calls that are not served

Generated from the lists of calls in OpenStack's API references and from the routes of this cloud; not written by hand
(`NOT_SERVED=write cargo test -p acceptance --test it not_served`). Chapters are the references' own files; some describe
plugins and services that a plain OpenStack does not have either. What the real service has removed is answered here as there,
with 410, and counts as served; what neither has is listed in the end.

| service | documented | not served |
|---|--:|--:|
";

#[tokio::test(flavor = "multi_thread")]
async fn not_served() {
    let cloud = Cloud::start().await;
    let mut served: BTreeSet<Shape> = cloud.routes().iter().map(Shape::of).collect();
    for action in authorization::actions() {
        served.insert(Shape::new("POST", &format!("/compute/v2.1/servers/{{id}}/action/{action}")));
    }
    let mut page = HEAD.to_owned();
    let (mut lists, mut nowhere) = (String::new(), String::new());
    for (service, reference, prefix) in REFERENCES {
        let (mut missing, documented) = missing(service, reference, prefix, &served);
        for calls in missing.values_mut() {
            calls.retain(|call| match why_nowhere(service, call) {
                Some(why) => {
                    let _ = writeln!(nowhere, "- `{call}`: {why}");
                    false
                }
                None => true,
            });
        }
        missing.retain(|_, calls| !calls.is_empty());
        let count: usize = missing.values().map(Vec::len).sum();
        let _ = writeln!(page, "| {service} | {documented} | {count} |");
        let _ = write!(lists, "\n## {service}\n");
        for (chapter, calls) in missing {
            let _ = write!(lists, "\n{chapter}\n\n");
            for call in calls {
                let _ = writeln!(lists, "- `{call}`");
            }
        }
    }
    page += &lists;
    let _ = write!(page, "\n## Answered with 404, as by the real services\n\n{nowhere}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/not-served.md");
    if std::env::var("NOT_SERVED").is_ok_and(|v| v == "write") {
        std::fs::write(path, &page).expect("docs can be written");
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let changed: Vec<String> = lines(&there).symmetric_difference(&lines(&page)).cloned().collect();
    assert!(
        there == page,
        "docs/not-served.md is old: write it with NOT_SERVED=write. Changed:\n{}",
        changed.join("\n")
    );
}

fn why_nowhere(service: &str, call: &str) -> Option<&'static str> {
    let of = |(of, start, _): &&(&str, &str, &str)| *of == service && call.starts_with(start);
    NOWHERE.iter().find(of).map(|(_, _, why)| *why)
}

/// By chapter, and how many calls there are.
fn missing<'a>(
    service: &str,
    reference: &'a str,
    prefix: &str,
    served: &BTreeSet<Shape>,
) -> (BTreeMap<&'a str, Vec<String>>, usize) {
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut documented = 0;
    for line in reference.lines().filter(|line| !line.starts_with('#')) {
        let [method, path, chapter] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("no method, path and chapter: {line}");
        };
        documented += 1;
        // One chapter speaks of all kinds of things at once.
        let path = path.replace("{resource_type}", "networks");
        // The project may be left out.
        let path =
            path.replacen("/v3/{project_id}/", "/v3/", 1).replacen("/v3/{admin_project_id}/", "/v3/", 1);
        // Octavia's version has two names.
        let path = path.replace("/v2.0/lbaas/", "/v2/lbaas/");
        let path = &*path;
        let is_version = path == "/" || path == "/{api_version}/";
        let full = if is_version { path.replace("{api_version}", "v2.1") } else { format!("{prefix}{path}") };
        // A GET answers HEAD as well.
        let methods = if method == "HEAD" { &["HEAD", "GET"][..] } else { &[method][..] };
        // One chapter begins its paths with the service's mount.
        let full = full.strip_prefix(&format!("/{service}")).unwrap_or(&full);
        let asked = format!("/{service}{full}");
        if !methods.iter().any(|method| served.iter().any(|route| route.serves(method, &asked))) {
            missing.entry(chapter).or_default().push(format!("{method} {path}"));
        }
    }
    (missing, documented)
}

/// A route without the names of its parameters.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    method: String,
    parts: Vec<Option<String>>,
}

impl Shape {
    fn of(route: &Route) -> Shape {
        Shape::new(route.method, &route.path)
    }

    fn new(method: &str, path: &str) -> Shape {
        let parts = path.split('/').filter(|part| !part.is_empty());
        let parts = parts.map(|part| (!part.starts_with('{')).then(|| part.to_owned()));
        Shape { method: method.into(), parts: parts.collect() }
    }

    /// A word of theirs may be a value of a parameter of ours, not the other way round.
    fn serves(&self, method: &str, path: &str) -> bool {
        let asked = Shape::new(method, path);
        let mut pairs = self.parts.iter().zip(&asked.parts);
        self.method == method
            && self.parts.len() == asked.parts.len()
            && pairs.all(|(ours, theirs)| ours.is_none() || ours == theirs)
    }
}
