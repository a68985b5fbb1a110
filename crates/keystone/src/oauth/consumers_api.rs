//! /v3/OS-OAUTH1/consumers

use base::Error;
use serde_json::{Value, json};
use web::{Json, Origin, Path, Result};

use super::{Consumer, rules, store};
use crate::access::Target;
use crate::call::{Call, one};
use crate::change;
use crate::listing::{collection, url};
use crate::schema::{Fields, merge, with_extra};

pub(super) fn missing() -> Error {
    Error::not_found("Consumer not found")
}

fn view(consumer: &Consumer, origin: &Origin) -> Value {
    let view = json!({
        "id": consumer.id,
        "description": consumer.description,
        "links": {"self": url(origin, &format!("OS-OAUTH1/consumers/{}", consumer.id))},
    });
    with_extra(view, &consumer.extra)
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST.enforce(&ctx, &Target::default())?;
    let consumers = store::consumers(&mut *keystone.db.read().await?).await?;
    let views = consumers.iter().map(|c| view(c, &origin)).collect();
    Ok(collection(&origin, &params, "consumers", views, &[])?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::GET.enforce(&ctx, &Target::default())?;
    let found = store::consumer(&mut *keystone.db.read().await?, &id).await?;
    Ok(one(200, "consumer", view(&found.ok_or_else(missing)?, &origin)))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::of(body, "consumer")?;
    fields.take("secret");
    let secret = base::id::hex();
    let consumer = Consumer {
        id: base::id::hex(),
        encrypted_secret: keystone.credential_keys.encrypt(secret.as_bytes()),
        description: fields.nullable_text("description")?.flatten(),
        extra: fields.extra(),
    };
    change!(keystone, &ctx, "consumer.create", &consumer.id, |tx| {
        Ok(store::insert_consumer(tx, &consumer).await?)
    })?;
    let mut view = view(&consumer, &origin);
    // Shown this once.
    view["secret"] = json!(secret);
    Ok(one(201, "consumer", view))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::patch(body, "consumer", &id)?;
    if fields.take("secret").is_some() {
        return Err(Error::bad_request("The secret of a consumer cannot be changed.").into());
    }
    let description = fields.nullable_text("description")?;
    let extra = fields.extra();
    let consumer = change!(keystone, &ctx, "consumer.update", &id, |tx| {
        let mut consumer = store::consumer(tx, &id).await?.ok_or_else(missing)?;
        consumer.description = description.clone().unwrap_or(consumer.description);
        merge(&mut consumer.extra, extra.clone());
        store::update_consumer(tx, &consumer).await?;
        Ok(consumer)
    })?;
    Ok(one(200, "consumer", view(&consumer, &origin)))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    rules::DELETE.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "consumer.delete", &id, |tx| {
        store::consumer(tx, &id).await?.ok_or_else(missing)?;
        Ok(store::delete_consumer(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}
