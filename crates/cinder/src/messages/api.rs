//! `/v3/messages`, since 3.3.

use std::cmp::Ordering;
use std::sync::Arc;

use base::time::micros_naive;
use base::{Error, Result as Checked};
use serde_json::{Value, json};
use web::{Params, Path, Result, Routes, State};

use super::store::{self, Message};
use crate::asker::{Asker, Links};
use crate::form::since;
use crate::listing::{Listed, Listing, PAGING};
use crate::{Cinder, policy};

type Cinders = State<Arc<Cinder>>;

/// How long a message is kept at least, as the API tells: 30 days.
const KEPT: i64 = 30 * 24 * 3600 * 1_000_000;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/messages", &policy::MESSAGE_LIST, list)
        .get("/v3/messages/{id}", &policy::MESSAGE_GET, get)
        .delete("/v3/messages/{id}", &policy::MESSAGE_DELETE, delete)
}

impl Listed for Message {
    const KEYS: &'static [&'static str] =
        &["id", "event_id", "resource_type", "resource_uuid", "request_id", "message_level", "created_at"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "event_id" => event(self).cmp(&event(other)),
            "resource_type" => self.resource_type.cmp(&other.resource_type),
            "resource_uuid" => self.resource_id.cmp(&other.resource_id),
            "request_id" => self.request_id.cmp(&other.request_id),
            "created_at" => self.created_at.cmp(&other.created_at),
            _ => Ordering::Equal,
        }
    }
}

fn parts(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

fn event(message: &Message) -> String {
    let (action, detail) = (parts(&message.action).0, parts(&message.detail).0);
    format!("VOLUME_{}_{action}_{detail}", message.resource_type)
}

fn view(links: &Links, message: &Message) -> Value {
    json!({
        "id": message.id,
        "event_id": event(message),
        "user_message": format!("{}:{}", parts(&message.action).1, parts(&message.detail).1),
        "message_level": "ERROR",
        "created_at": micros_naive(message.created_at),
        "guaranteed_until": micros_naive(message.created_at.saturating_add(KEPT)),
        "request_id": message.request_id,
        "links": links.of("messages", &message.id),
        "resource_type": message.resource_type,
        "resource_uuid": message.resource_id,
    })
}

async fn load(cinder: &Cinder, asker: &Asker, id: &str) -> Checked<Message> {
    let found = store::get(&mut *cinder.db.read().await?, id).await?;
    found
        .filter(|message| asker.ctx.owns(&message.project_id))
        .ok_or_else(|| Error::not_found(format!("Message {id} could not be found.")))
}

async fn list(State(cinder): Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 3)?;
    let params = if ctx.at_least(3, 5) { params } else { Params::default() };
    let listing = Listing::read(&params)?;
    let mut kept = store::list(&mut *cinder.db.read().await?, ctx.require_project()?).await?;
    for (key, value) in params.pairs() {
        match key.trim_end_matches('~') {
            "resource_uuid" => kept.retain(|one| one.resource_id == *value),
            "resource_type" => kept.retain(|one| one.resource_type == *value),
            "event_id" => kept.retain(|one| event(one) == *value),
            "request_id" => kept.retain(|one| one.request_id == *value),
            "message_level" => kept.retain(|_| value == "ERROR"),
            key if PAGING.contains(&key) || ctx.is_admin() || !ctx.at_least(3, 31) => {}
            _ => {
                let text = format!("Invalid filters {key} are found in query options.");
                return Err(Error::bad_request(text).into());
            }
        }
    }
    let page = listing.page(kept)?;
    let ids: Vec<&str> = page.iter().map(|one| one.id.as_str()).collect();
    let mut body = json!({"messages": page.iter().map(|one| view(&asker.links, one)).collect::<Vec<_>>()});
    if let Some(links) = listing.next(&params, &origin.0, &ids) {
        body["messages_links"] = links;
    }
    Ok(web::json(200, &body))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    since(&asker.ctx, 3)?;
    let found = load(&cinder, &asker, &id).await?;
    Ok(web::json(200, &json!({"message": view(&asker.links, &found)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    since(&asker.ctx, 3)?;
    load(&cinder, &asker, &id).await?;
    store::delete(&cinder.db, &id).await?;
    Ok(web::no_content(204))
}
