//! Who may call what: every route, really called with a token of every persona. The golden files are the matrix, one a
//! service.
//!
//! ```text
//! +  let through: done, or refused for another reason than who asks      -  401 or 403
//! ~  a list that does not show the owner's thing                         0  404: not to be seen, or not there
//! ```
//!
//! A row of `0` alone is about something that this cloud has none of. `INSTA_UPDATE=always` takes changes over; look at
//! each line first. When the test fails it prints the statuses behind the marks.

mod actions;
mod bodies;
mod paths;
mod people;
mod scene;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures::future::join_all;
use testkit::{Cloud, Route};

use people::Persona;
use scene::{Call, Scene};

/// The actions of servers that this cloud has: one route serves them all.
pub fn actions() -> impl Iterator<Item = &'static str> {
    actions::all(&actions::Ids::default()).into_iter().map(|(about, ..)| actions::name(about))
}

/// The same of volumes, with bodies.
pub fn volume_actions() -> Vec<(&'static str, serde_json::Value)> {
    actions::of_volumes()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_what() {
    let cloud = Cloud::start().await;
    let mut scene = Scene::make(&cloud).await;
    let people = people::all(&cloud, &scene.fixture).await;
    let mut rows = Vec::new();
    for (at, route) in in_order(cloud.routes()) {
        for call in scene.calls(&route) {
            let answers = ask(&people, &mut scene, &route, &call).await;
            let marks: Vec<String> = answers.iter().map(|(mark, _)| mark.to_string()).collect();
            let statuses: Vec<String> = answers.iter().map(|(_, status)| status.to_string()).collect();
            println!(
                "{:70} {}",
                format!("{} {} {}", route.method, route.path, call.about),
                statuses.join(" ")
            );
            let path = format!("{} {}", route.path, call.about);
            let row =
                format!("{} {:6} {}  [{}]", marks.join(" "), route.method, path.trim_end(), route.policy);
            rows.push((at, route.service, row));
        }
    }
    // As the rooms list them, not as they had to be called.
    rows.sort_by_key(|(at, ..)| *at);
    let mut tables: BTreeMap<&str, String> = BTreeMap::new();
    for (_, service, row) in rows {
        let table = tables.entry(service).or_insert_with(|| head(&people));
        let _ = writeln!(table, "{row}");
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        for (service, table) in tables {
            insta::assert_snapshot!(format!("authorization_{service}"), table);
        }
    });
}

fn head(people: &[Persona]) -> String {
    let mut text = String::new();
    for (at, persona) in people.iter().enumerate() {
        let _ = writeln!(text, "{}{}", "| ".repeat(at), persona.name);
    }
    text
}

/// Each route with its place in the list, in an order in which no call takes away what a later one needs: what only looks
/// first, what ends things last and parts before wholes, which earlier rooms tend to have.
fn in_order(routes: Vec<Route>) -> Vec<(usize, Route)> {
    let mut routes: Vec<(usize, Route)> = routes.into_iter().enumerate().filter(|(_, r)| asks(r)).collect();
    routes.sort_by_key(|(at, route)| {
        let depth = route.path.matches('/').count();
        match route.method {
            "GET" | "HEAD" => (0, 0, *at),
            "PUT" | "PATCH" => (1, 0, *at),
            "POST" => (2, 0, *at),
            _ => (3, usize::MAX - depth, usize::MAX - *at),
        }
    });
    routes
}

/// Public routes ask nobody who they are; removed ones tell anybody that they are gone.
fn asks(route: &Route) -> bool {
    !route.is_public && route.policy != "os_compute_api:removed"
}

async fn ask(people: &[Persona], scene: &mut Scene, route: &Route, call: &Call) -> Vec<(char, u16)> {
    scene.prepare(route).await;
    if matches!(route.method, "GET" | "HEAD") {
        let scene = &*scene;
        return join_all(people.iter().map(|persona| async move {
            let answer = scene.send(&persona.client, call).await;
            (mark(route, call, &answer), answer.status)
        }))
        .await;
    }
    let mut answers = Vec::new();
    for persona in people {
        let fresh = scene.fresh(route, call);
        let answer = scene.send(&persona.client, &fresh).await;
        answers.push((mark(route, call, &answer), answer.status));
        if answer.status < 300 {
            scene.mend(route, call).await;
        }
    }
    answers
}

fn mark(route: &Route, call: &Call, answer: &testkit::Answer) -> char {
    match answer.status {
        // The answer to wrong signatures, which is what these calls are about.
        400 if answer.body.to_string().contains("There is no such action") => {
            panic!("{} is no action", call.about)
        }
        401 if route.path.ends_with("tokens") => '+',
        401 => panic!("a token ended before {} {}: {}", route.method, call.path, answer.body),
        403 => '-',
        404 => '0',
        500.. if answer.status != 501 => {
            panic!("{} {}: {} {}", route.method, call.path, answer.status, answer.body)
        }
        _ => match &call.shows {
            Some(id) if !answer.body.to_string().contains(id.as_str()) => '~',
            _ => '+',
        },
    }
}
