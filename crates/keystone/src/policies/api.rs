//! /v3/policies

use serde_json::{Value, json};
use web::{Json, Origin, Path, Result};

use super::{PolicyBlob, rules, store};
use crate::access::Target;
use crate::call::{Call, one};
use crate::change;
use crate::listing::{collection, url};
use crate::schema::{Fields, merge, with_extra};

pub(super) fn view(policy: &PolicyBlob, origin: &Origin) -> Value {
    let view = json!({
        "id": policy.id,
        "type": policy.kind,
        "blob": policy.blob,
        "links": {"self": url(origin, &format!("policies/{}", policy.id))},
    });
    with_extra(view, &policy.extra)
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST.enforce(&ctx, &Target::default())?;
    let policies = store::all(&mut *keystone.db.read().await?).await?;
    let views = policies.iter().map(|p| view(p, &origin)).collect();
    Ok(collection(&origin, &params, "policies", views, &["type"])?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::GET.enforce(&ctx, &Target::default())?;
    let found = store::require(&mut *keystone.db.read().await?, &id).await?;
    Ok(one(200, "policy", view(&found, &origin)))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::of(body, "policy")?;
    let policy = PolicyBlob {
        id: base::id::hex(),
        kind: fields.name("type", 255)?.ok_or_else(|| Fields::required("type"))?,
        blob: fields.text("blob")?.ok_or_else(|| Fields::required("blob"))?,
        extra: fields.extra(),
    };
    change!(keystone, &ctx, "policy.create", &policy.id, |tx| Ok(store::insert(tx, &policy).await?))?;
    Ok(one(201, "policy", view(&policy, &origin)))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::patch(body, "policy", &id)?;
    let kind = fields.name("type", 255)?;
    let blob = fields.text("blob")?;
    let extra = fields.extra();
    let policy = change!(keystone, &ctx, "policy.update", &id, |tx| {
        let mut policy = store::require(tx, &id).await?;
        policy.kind = kind.clone().unwrap_or(policy.kind);
        policy.blob = blob.clone().unwrap_or(policy.blob);
        merge(&mut policy.extra, extra.clone());
        store::update(tx, &policy).await?;
        Ok(policy)
    })?;
    Ok(one(200, "policy", view(&policy, &origin)))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    rules::DELETE.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "policy.delete", &id, |tx| {
        store::require(tx, &id).await?;
        Ok(store::delete(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}
