use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{Taggable, store};
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_tags", Rule::ProjectReader);
const UPDATE: Policy = Policy::new("update_tags", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_tags", Rule::ProjectMember);

/// Neutron's limits.
const MAX_TAGS: usize = 50;
const MAX_LENGTH: usize = 255;

/// (resource, path of its tags, path of one tag)
const PATHS: &[(Taggable, &str, &str)] = &[
    (Taggable::Network, "/v2.0/networks/{id}/tags", "/v2.0/networks/{id}/tags/{tag}"),
    (Taggable::Subnet, "/v2.0/subnets/{id}/tags", "/v2.0/subnets/{id}/tags/{tag}"),
    (Taggable::Port, "/v2.0/ports/{id}/tags", "/v2.0/ports/{id}/tags/{tag}"),
    (Taggable::Router, "/v2.0/routers/{id}/tags", "/v2.0/routers/{id}/tags/{tag}"),
    (Taggable::FloatingIp, "/v2.0/floatingips/{id}/tags", "/v2.0/floatingips/{id}/tags/{tag}"),
    (Taggable::SecurityGroup, "/v2.0/security-groups/{id}/tags", "/v2.0/security-groups/{id}/tags/{tag}"),
    (Taggable::AddressGroup, "/v2.0/address-groups/{id}/tags", "/v2.0/address-groups/{id}/tags/{tag}"),
    (Taggable::AddressGroup, "/v2.0/address_groups/{id}/tags", "/v2.0/address_groups/{id}/tags/{tag}"),
    (Taggable::SubnetPool, "/v2.0/subnetpools/{id}/tags", "/v2.0/subnetpools/{id}/tags/{tag}"),
    (Taggable::QosPolicy, "/v2.0/policies/{id}/tags", "/v2.0/policies/{id}/tags/{tag}"),
    (Taggable::QosPolicy, "/v2.0/qos/policies/{id}/tags", "/v2.0/qos/policies/{id}/tags/{tag}"),
    (Taggable::Trunk, "/v2.0/trunks/{id}/tags", "/v2.0/trunks/{id}/tags/{tag}"),
    (Taggable::SecurityGroup, "/v2.0/security_groups/{id}/tags", "/v2.0/security_groups/{id}/tags/{tag}"),
];

type App = State<Arc<Neutron>>;

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    PATHS.iter().fold(routes, |routes, (kind, all, one)| {
        let kind = *kind;
        routes
            .get(all, &GET, move |app: App, caller: Caller, id: Path<String>| list(kind, app, caller, id))
            .put(all, &UPDATE, move |app: App, caller: Caller, id: Path<String>, body: Json<Value>| {
                replace(kind, app, caller, id, body)
            })
            .post(all, &UPDATE, move |app: App, caller: Caller, id: Path<String>, body: Json<Value>| {
                add_all(kind, app, caller, id, body)
            })
            .delete(all, &DELETE, move |app: App, caller: Caller, id: Path<String>| {
                clear(kind, app, caller, id)
            })
            .get(one, &GET, move |app: App, caller: Caller, path: Path<(String, String)>| {
                show(kind, app, caller, path)
            })
            .put(one, &UPDATE, move |app: App, caller: Caller, path: Path<(String, String)>| {
                add(kind, app, caller, path)
            })
            .delete(one, &DELETE, move |app: App, caller: Caller, path: Path<(String, String)>| {
                remove(kind, app, caller, path)
            })
    })
}

async fn tags_of(app: &Neutron, ctx: &Ctx, kind: Taggable, id: &str) -> Result<Vec<String>> {
    Ok(store::find(&mut *app.db.read().await?, ctx, kind, id).await?.0.tags)
}

async fn list(kind: Taggable, State(app): App, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    Ok(web::json(200, &json!({"tags": tags_of(&app, &ctx, kind, &id).await?})))
}

async fn show(
    kind: Taggable,
    State(app): App,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
) -> web::Result {
    if tags_of(&app, &ctx, kind, &id).await?.contains(&tag) {
        Ok(web::no_content(204))
    } else {
        Err(fault::tag_not_found(&tag).into())
    }
}

fn check(tags: &[String]) -> Result<()> {
    if let Some(long) = tags.iter().find(|t| t.chars().count() > MAX_LENGTH) {
        return Err(fault::invalid_input(format!("'{long}' exceeds maximum length of {MAX_LENGTH}")));
    }
    if tags.len() > MAX_TAGS {
        return Err(fault::bad(
            "tags",
            format!("The number of tags exceed the per-resource limit of {MAX_TAGS}"),
        ));
    }
    Ok(())
}

fn asked(body: &Value) -> Result<Vec<String>> {
    let items = body.get("tags").ok_or_else(|| fault::invalid_input("Invalid tags body"))?;
    let items = items.as_array().ok_or_else(|| fault::invalid_input(format!("'{items}' is not a list")))?;
    let mut tags: Vec<String> = Vec::new();
    for item in items {
        let tag =
            item.as_str().ok_or_else(|| fault::invalid_input(format!("'{item}' is not a valid string")))?;
        if tags.iter().any(|t| t == tag) {
            return Err(fault::invalid_input(format!("Duplicate items in the list: '{tag}'")));
        }
        tags.push(tag.into());
    }
    check(&tags)?;
    Ok(tags)
}

async fn replace(
    kind: Taggable,
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let tags = asked(&body)?;
    let done: Result<Vec<String>> =
        db::write!(app.db, |tx| store::change(tx, &ctx, kind, &id, &|_| Ok(tags.clone())).await);
    Ok(web::json(200, &json!({"tags": done?})))
}

/// Several at once, beside those that are there.
async fn add_all(
    kind: Taggable,
    State(app): App,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let more = asked(&body)?;
    let change = |mut tags: Vec<String>| {
        let new: Vec<String> = more.iter().filter(|t| !tags.contains(t)).cloned().collect();
        tags.extend(new);
        check(&tags)?;
        Ok(tags)
    };
    let done: Result<Vec<String>> =
        db::write!(app.db, |tx| store::change(tx, &ctx, kind, &id, &change).await);
    Ok(web::json(200, &json!({"tags": done?})))
}

async fn clear(kind: Taggable, State(app): App, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let done: Result<Vec<String>> =
        db::write!(app.db, |tx| store::change(tx, &ctx, kind, &id, &|_| Ok(Vec::new())).await);
    done?;
    Ok(web::no_content(204))
}

async fn add(
    kind: Taggable,
    State(app): App,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
) -> web::Result {
    let change = |mut tags: Vec<String>| {
        if !tags.contains(&tag) {
            tags.push(tag.clone());
        }
        check(&tags)?;
        Ok(tags)
    };
    let done: Result<Vec<String>> =
        db::write!(app.db, |tx| store::change(tx, &ctx, kind, &id, &change).await);
    done?;
    Ok(web::no_content(201))
}

async fn remove(
    kind: Taggable,
    State(app): App,
    Caller(ctx): Caller,
    Path((id, tag)): Path<(String, String)>,
) -> web::Result {
    let change = |mut tags: Vec<String>| {
        let before = tags.len();
        tags.retain(|t| *t != tag);
        if tags.len() == before { Err(fault::tag_not_found(&tag)) } else { Ok(tags) }
    };
    let done: Result<Vec<String>> =
        db::write!(app.db, |tx| store::change(tx, &ctx, kind, &id, &change).await);
    done?;
    Ok(web::no_content(204))
}
