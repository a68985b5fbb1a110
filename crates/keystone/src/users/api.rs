//! /v3/users

use base::Error;
use secrecy::SecretString;
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Response, Result, State};

use super::{User, rules, store, view};
use crate::access::{Target, default_domain, list_domain};
use crate::errors::{duplicate, not_found, unique};
use crate::listing::collection;
use crate::schema::{Fields, invalid, merge};
use crate::tokens::revocation::{self, Subject};
use crate::{Service, change, domains, projects};

pub const FILTERS: &[&str] = &["name", "enabled", "domain_id"];

pub async fn list(State(keystone): Service, Caller(ctx): Caller, origin: Origin, params: Params) -> Result {
    let domain = list_domain(&ctx, params.get("domain_id"));
    rules::LIST.enforce(&ctx, &Target { domain, ..Target::default() })?;
    let users = store::list(&mut *keystone.db.read().await?, domain).await?;
    let views = users.iter().map(|u| view::user(u, &origin)).collect();
    Ok(collection(&origin, &params, "users", views, FILTERS)?)
}

pub async fn get(
    State(keystone): Service,
    Caller(ctx): Caller,
    origin: Origin,
    Path(id): Path<String>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let user = rules::GET.find(&ctx, found, rules::target, || not_found("user", &id))?;
    Ok(answer(200, &user, &origin))
}

/// Null and no password: the user cannot log in by one.
fn password(fields: &mut Fields) -> Result<Option<Option<SecretString>>, Error> {
    match fields.take("password") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.into()))),
        // Whatever it is may be a secret: it is not repeated.
        Some(_) => Err(invalid("password", "not of type 'string', 'null'")),
    }
}

async fn check_default_project(conn: &mut db::AnyConnection, id: Option<&str>) -> Result<(), Error> {
    let Some(id) = id else { return Ok(()) };
    if projects::store::get(conn, id).await?.is_some_and(|p| p.is_domain) {
        return Err(Error::bad_request(
            "User's default project ID cannot be a domain ID. The server could not comply with the request since \
             it is either malformed or otherwise incorrect. The client is assumed to be in error.",
        ));
    }
    Ok(())
}

pub async fn create(
    State(keystone): Service,
    Caller(ctx): Caller,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result {
    let mut fields = Fields::of(body, "user")?;
    let name = fields.name("name", 255)?.ok_or_else(|| Fields::required("name"))?;
    let domain_id = fields.id("domain_id")?.unwrap_or_else(|| default_domain(&ctx).to_owned());
    rules::CREATE.enforce(&ctx, &Target::domain(&domain_id))?;
    let password = password(&mut fields)?.flatten();
    let options = fields.object("options")?.unwrap_or_default();
    rules::check_options(&options)?;
    let mut user = User {
        id: base::id::hex(),
        name,
        domain_id,
        default_project_id: fields.nullable_id("default_project_id")?.flatten(),
        enabled: fields.flag("enabled")?.unwrap_or(true),
        password_hash: None,
        options: Default::default(),
        extra: described(fields)?,
    };
    rules::merge_options(&mut user.options, &options);
    if let Some(password) = password {
        user.password_hash = Some(keystone.passwords.hash(password).await?);
    }
    change!(keystone, &ctx, "user.create", &user.id, |tx| {
        domains::store::require(tx, &user.domain_id).await?;
        check_default_project(tx, user.default_project_id.as_deref()).await?;
        let inserted = store::insert(tx, &user).await;
        inserted.map_err(|e| unique(e, || duplicate("user", &user.name, &user.domain_id)))
    })?;
    Ok(answer(201, &user, &origin))
}

/// The description is one of the extra attributes, but has a type.
fn described(mut fields: Fields) -> Result<serde_json::Map<String, Value>, Error> {
    let description = fields.nullable_text("description")?;
    let mut extra = fields.extra();
    // Read-only attributes that clients send back as they got them.
    extra.shift_remove("password_expires_at");
    if let Some(description) = description {
        extra.insert("description".into(), json!(description));
    }
    Ok(extra)
}

pub async fn update(
    State(keystone): Service,
    Caller(ctx): Caller,
    origin: Origin,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::UPDATE.find(&ctx, found, rules::target, || not_found("user", &id))?;
    let mut fields = Fields::patch(body, "user", &id)?;
    let name = fields.name("name", 255)?;
    let domain_id = fields.id("domain_id")?;
    let enabled = fields.flag("enabled")?;
    let default_project_id = fields.nullable_id("default_project_id")?;
    let options = fields.object("options")?.unwrap_or_default();
    rules::check_options(&options)?;
    let password = password(&mut fields)?;
    let extra = described(fields)?;
    let hash = match password {
        None => None,
        Some(None) => Some(None),
        Some(Some(password)) => Some(Some(keystone.passwords.hash(password).await?)),
    };
    let ttl = keystone.token_ttl;
    let user = change!(keystone, &ctx, "user.update", &id, |tx| {
        let mut user = store::get(tx, &id).await?.ok_or_else(|| not_found("user", &id))?;
        if domain_id.as_ref().is_some_and(|d| *d != user.domain_id) {
            return Err(Error::bad_request("Cannot change Domain ID"));
        }
        if hash.is_some() || (user.enabled && enabled == Some(false)) {
            revocation::revoke(tx, Subject::User(&id), ttl).await?;
        }
        if let Some(project) = &default_project_id {
            check_default_project(tx, project.as_deref()).await?;
            user.default_project_id.clone_from(project);
        }
        user.name = name.clone().unwrap_or(user.name);
        user.enabled = enabled.unwrap_or(user.enabled);
        rules::merge_options(&mut user.options, &options);
        merge(&mut user.extra, extra.clone());
        let updated = store::update(tx, &user).await;
        updated.map_err(|e| unique(e, || duplicate("user", &user.name, &user.domain_id)))?;
        if let Some(hash) = &hash {
            store::set_password(tx, &id, hash.as_deref()).await?;
        }
        Ok(user)
    })?;
    Ok(answer(200, &user, &origin))
}

pub async fn delete(State(keystone): Service, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::DELETE.find(&ctx, found, rules::target, || not_found("user", &id))?;
    change!(keystone, &ctx, "user.delete", &id, |tx| Ok(store::delete(tx, &id).await?))?;
    Ok(web::no_content(204))
}

fn answer(status: u16, user: &User, origin: &Origin) -> Response {
    web::json(status, &json!({"user": view::user(user, origin)}))
}
