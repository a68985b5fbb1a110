//! `/v2/info/..`, `/v2/stores/{store}/{image}` and `/v2/images/{id}/locations`.

use std::sync::{Arc, LazyLock};

use base::{Error, Kind};
use serde_json::{Value, json};
use web::schema::Schema;
use web::{Caller, Json, Path, Result, Routes, State};

use crate::Glance;
use crate::images::{Image, Status, load_visible, policy, rules, store};
use crate::imports::METHODS;

type Glances = State<Arc<Glance>>;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/info/import", &policy::SCHEMAS, import)
        .get("/v2/info/stores", &policy::SCHEMAS, stores)
        .get("/v2/info/stores/detail", &policy::STORES_DETAIL, detail)
        .get("/v2/info/usage", &policy::SCHEMAS, usage)
        .delete("/v2/stores/{store}/{image}", &policy::seen::DELETE_LOCATION, delete)
        .get("/v2/images/{id}/locations", &policy::FETCH_LOCATIONS, locations)
        .post("/v2/images/{id}/locations", &policy::seen::ADD_LOCATION, add_location)
}

async fn import() -> Result {
    let methods = json!({"description": "Import methods available.", "type": "array", "value": METHODS});
    Ok(web::json(200, &json!({"import-methods": methods})))
}

fn view(glance: &Glance) -> Vec<Value> {
    let default = glance.files.default_store();
    let all = glance.files.stores().iter();
    all.map(|s| {
        let mut out = json!({"id": s.id, "description": s.description});
        if s.id == default {
            out["default"] = json!("true");
        }
        out
    })
    .collect()
}

async fn stores(State(glance): Glances) -> Result {
    Ok(web::json(200, &json!({"stores": view(&glance)})))
}

async fn detail(State(glance): Glances, Caller(ctx): Caller) -> Result {
    rules::in_a_project(&ctx, &policy::STORES_DETAIL)?;
    let mut list = view(&glance);
    for (out, store) in list.iter_mut().zip(glance.files.stores()) {
        out["type"] = json!("file");
        out["weight"] = json!(0);
        out["properties"] = json!({"data_dir": store.dir, "chunk_size": 65536, "thin_provisioning": false});
    }
    Ok(web::json(200, &json!({"stores": list})))
}

/// Limits are those of the configuration, not Keystone's, so there is no usage to tell.
async fn usage() -> Result {
    Ok(web::json(200, &json!({"usage": {}})))
}

async fn delete(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((target, id)): Path<(String, String)>,
) -> Result {
    if !glance.files.has(&target) {
        return Err(
            Error::conflict(format!("The selected store {target} is not available on this node.")).into()
        );
    }
    let image = load_visible(&glance, &ctx, &id).await.map_err(|e| {
        if e.is_not_found() { Error::not_found(format!("Failed to find image {id}")) } else { e }
    })?;
    rules::may_change(&ctx, &image, &policy::DELETE_LOCATION)?;
    store::edit(&glance.db, &ctx, "image.update", &id, |image| leave(image, &target)).await?;
    glance.files.remove_from(&target, &id)?;
    Ok(web::no_content(204))
}

fn leave(image: &mut Image, target: &str) -> base::Result<()> {
    if image.status != Status::Active {
        return Err(Error::conflict(
            "It's not allowed to remove image data from store if image status is not 'active'",
        ));
    }
    if image.stores.len() == 1 {
        return Err(Error::forbidden(
            "Cannot delete image data from the only store containing it. Consider deleting the image instead.",
        ));
    }
    let before = image.stores.len();
    image.stores.retain(|s| s != target);
    if image.stores.len() == before {
        return Err(Error::not_found(format!("Image {} is not stored in store {target}.", image.id)));
    }
    Ok(())
}

/// For services: where the data lies.
async fn locations(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let image = load_visible(&glance, &ctx, &id).await?;
    let list: Vec<Value> = image
        .stores
        .iter()
        .map(|s| json!({"url": format!("file://{}", glance.files.path(s, &id)), "metadata": {"store": s}}))
        .collect();
    Ok(web::json(200, &list))
}

static LOCATION: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object", "required": ["url"],
        "properties": {
            "url": {"type": "string"},
            "validation_data": {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "os_hash_algo": {"type": "string", "maxLength": 64, "enum": ["sha1", "sha256", "sha512", "md5"]},
                    "os_hash_value": {"type": "string", "maxLength": 128},
                },
                "dependentRequired": {"os_hash_value": ["os_hash_algo"], "os_hash_algo": ["os_hash_value"]},
            },
        },
    }))
});

/// Data that stays where it is needs a store that reads from there; there is none of that kind.
async fn add_location(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    if let Some(why) = LOCATION.complaint(&body) {
        return Err(
            Error::bad_request(format!("Provided object does not match schema 'location': {why}")).into()
        );
    }
    let image = load_visible(&glance, &ctx, &id).await?;
    if image.status != Status::Queued {
        return Err(Error::conflict(format!(
            "It's not allowed to add locations if image status is {}.",
            image.status.as_str()
        ))
        .into());
    }
    rules::may_change(&ctx, &image, &policy::ADD_LOCATION)?;
    Err(Error::new(Kind::Forbidden, "http store must be enabled to use location API by normal user.").into())
}
