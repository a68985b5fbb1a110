//! /v3/credentials

use base::Error;
use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{Credential, rules, store};
use crate::access::Target;
use crate::application_credentials::rules::check_unrestricted;
use crate::call::{Call, Own};
use crate::errors::{conflict, not_found, unique};
use crate::listing::{collection, url};
use crate::schema::{Fields, merge, with_extra, wrong_type};
use crate::{Keystone, change};

/// The blob as it was given.
pub(crate) fn plain(keystone: &Keystone, credential: &Credential) -> Result<String, Error> {
    keystone
        .credential_keys
        .decrypt(&credential.encrypted_blob)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Error::internal(format!("credential {} does not decrypt with any key", credential.id)))
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn view(keystone: &Keystone, credential: &Credential, origin: &Origin) -> Result<Value, Error> {
    let blob = plain(keystone, credential)?;
    let view = json!({
        "id": credential.id,
        "user_id": credential.user_id,
        "project_id": credential.project_id,
        "type": credential.kind,
        "blob": blob,
        "links": {"self": url(origin, &format!("credentials/{}", credential.id))},
    });
    Ok(with_extra(view, &credential.extra))
}

fn answer(keystone: &Keystone, status: u16, credential: &Credential, origin: &Origin) -> Result<Response> {
    Ok(web::json(status, &json!({"credential": view(keystone, credential, origin)?})))
}

/// A string, or any object, which is kept as its JSON text.
fn blob(fields: &mut Fields) -> Result<Option<String>, Error> {
    match fields.take("blob") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(object @ Value::Object(_)) => Ok(Some(object.to_string())),
        Some(_) => Err(wrong_type("blob", &Value::Null, "'string', 'object'")),
    }
}

pub async fn list(Call { keystone, ctx, origin, params }: Call, Own(session): Own) -> Result {
    rules::LIST.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    let all = rules::GET.allows(&ctx.auth, &Target::default());
    let found =
        if all { store::all(&mut conn).await? } else { store::of_user(&mut conn, ctx.user_id()).await? };
    let reachable =
        found.iter().filter(|c| rules::check_delegation(&session, c.project_id.as_deref()).is_ok());
    let views = reachable.map(|c| view(&keystone, c, &origin)).collect::<Result<Vec<_>, _>>()?;
    Ok(collection(&origin, &params, "credentials", views, &["user_id", "type"])?)
}

pub async fn get(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path(id): Path<String>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let credential = rules::GET.find(&ctx, found, rules::target, || not_found("credential", &id))?;
    rules::check_delegation(&session, credential.project_id.as_deref())?;
    answer(&keystone, 200, &credential, &origin)
}

pub async fn create(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Json(body): Json<Value>,
) -> Result {
    let mut fields = Fields::of(body, "credential")?;
    let user_id = fields.id("user_id")?.unwrap_or_else(|| ctx.user_id().to_owned());
    rules::CREATE.enforce(&ctx, &Target::user(&user_id))?;
    let kind = fields.name("type", 255)?.ok_or_else(|| Fields::required("type"))?;
    let blob = blob(&mut fields)?.ok_or_else(|| Fields::required("blob"))?;
    let project_id = fields.nullable_id("project_id")?.flatten();
    if kind == "ec2" {
        check_unrestricted(&session, &rules::CREATE)?;
    }
    rules::check_delegation(&session, project_id.as_deref())?;
    let blob = rules::delegated_blob(&kind, blob, &session)?;
    if kind == "ec2" && project_id.is_none() {
        return Err(crate::errors::expecting("project_id", "credential").into());
    }
    let credential = Credential {
        id: rules::id(&kind, &blob)?,
        user_id,
        project_id,
        kind,
        encrypted_blob: keystone.credential_keys.encrypt(blob.as_bytes()),
        extra: fields.extra(),
    };
    change!(keystone, &ctx, "credential.create", &credential.id, |tx| {
        let inserted = store::insert(tx, &credential).await;
        inserted.map_err(|e| {
            unique(e, || conflict("credential", format!("Duplicate entry found with ID {}", credential.id)))
        })
    })?;
    answer(&keystone, 201, &credential, &origin)
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let current = rules::UPDATE.find(&ctx, found, rules::target, || not_found("credential", &id))?;
    rules::check_delegation(&session, current.project_id.as_deref())?;
    let mut fields = Fields::patch(body, "credential", &id)?;
    let user_id = fields.id("user_id")?;
    if let Some(user) = &user_id {
        // Giving one's own away is as much as making one for somebody else.
        rules::UPDATE.enforce(&ctx, &Target::user(user))?;
    }
    let kind = fields.name("type", 255)?;
    let project_id = fields.nullable_id("project_id")?;
    let blob = blob(&mut fields)?;
    let old = plain(&keystone, &current)?;
    let new = blob.as_ref().unwrap_or(&old);
    if kind.as_ref().unwrap_or(&current.kind) == "ec2" {
        rules::check_ec2_blob(new)?;
    }
    if current.kind == "ec2" {
        rules::check_blob_update(&json_of(&old), &json_of(new))?;
    }
    let blob = blob.map(|b| keystone.credential_keys.encrypt(b.as_bytes()));
    let extra = fields.extra();
    let credential = change!(keystone, &ctx, "credential.update", &id, |tx| {
        let mut credential = store::get(tx, &id).await?.ok_or_else(|| not_found("credential", &id))?;
        credential.user_id = user_id.clone().unwrap_or(credential.user_id);
        credential.kind = kind.clone().unwrap_or(credential.kind);
        credential.project_id = project_id.clone().unwrap_or(credential.project_id);
        credential.encrypted_blob = blob.clone().unwrap_or(credential.encrypted_blob);
        merge(&mut credential.extra, extra.clone());
        if credential.kind == "ec2" && credential.project_id.is_none() {
            return Err(crate::errors::expecting("project_id", "credential"));
        }
        store::update(tx, &credential).await?;
        Ok(credential)
    })?;
    answer(&keystone, 200, &credential, &origin)
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Own(session): Own, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let credential = rules::DELETE.find(&ctx, found, rules::target, || not_found("credential", &id))?;
    rules::check_delegation(&session, credential.project_id.as_deref())?;
    change!(keystone, &ctx, "credential.delete", &id, |tx| Ok(store::delete(tx, &id).await?))?;
    Ok(web::no_content(204))
}
