//! `POST /v2.1/os-server-external-events`

use std::sync::Arc;

use base::Error;
use serde_json::{Value, json};
use web::{Caller, Json, Response, Result, State};

use super::store;
use crate::Nova;
use crate::schema::{self, Field, Kind};

const NETWORK: [&str; 4] =
    ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"];
const NAMES: &[&str] = &[
    NETWORK[0],
    NETWORK[1],
    NETWORK[2],
    NETWORK[3],
    "volume-extended",
    "power-update",
    "accelerator-request-bound",
    "volume-reimaged",
];
const UP_TO_51: &[&str] = &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], NAMES[4]];
const UP_TO_76: &[&str] = &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], NAMES[4], NAMES[5]];
const UP_TO_82: &[&str] = &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], NAMES[4], NAMES[5], NAMES[6]];

const EVENT: &[Field] = &[
    Field::new("name", Kind::Enum(&NETWORK)).until(50).required(),
    Field::new("name", Kind::Enum(UP_TO_51)).from(51).until(75).required(),
    Field::new("name", Kind::Enum(UP_TO_76)).from(76).until(81).required(),
    Field::new("name", Kind::Enum(UP_TO_82)).from(82).until(92).required(),
    Field::new("name", Kind::Enum(NAMES)).from(93).required(),
    Field::new("server_uuid", Kind::Uuid).required(),
    Field::new("status", Kind::Enum(&["failed", "completed", "in-progress"])),
    Field::new("tag", Kind::Text(0, 255, schema::ANY_CHAR, "")),
];
const EVENTS: Kind = Kind::List(&Kind::Object(EVENT), 1, usize::MAX);

/// These say in their tag what they are about.
const WITH_TAG: &[&str] =
    &["volume-extended", "power-update", "accelerator-request-bound", "volume-reimaged"];

/// 200 when every event was taken, else 207; each event tells its own fate.
pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    let events = schema::root(&body, &["events"])?
        .get("events")
        .ok_or_else(|| Error::bad_request("'events' is a required property"))?;
    schema::check(&EVENTS, events, "events", ctx.microversion.minor)?;
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    let id = |event: &Value| event["server_uuid"].as_str().unwrap_or_default().to_lowercase();
    let ids: Vec<String> = events.iter().map(id).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let placed = store::placed(&mut *nova.db.read().await?, &ids).await?;
    let mut answers = events.to_vec();
    let mut all_taken = true;
    for (event, id) in answers.iter_mut().zip(&ids) {
        let tagless = WITH_TAG.iter().any(|name| event["name"] == *name) && event.get("tag").is_none();
        let code = match placed.get(*id) {
            None => 404,
            Some(_) if tagless => 400,
            Some(true) => 200,
            Some(false) => 422,
        };
        event["status"] = json!(if code == 200 { "completed" } else { "failed" });
        event["code"] = json!(code);
        all_taken &= code == 200;
        if code == 200 {
            nova.waker.wake(id);
        }
    }
    Ok(web::json(if all_taken { 200 } else { 207 }, &json!({"events": answers})))
}
