//! /v3/users

use base::Error;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::store::NewPassword;
use super::{User, rules, store, view};
use crate::access::{Target, default_domain, list_domain};
use crate::call::Call;
use crate::errors::{duplicate, not_found, unique};
use crate::listing::collection;
use crate::schema::{Fields, invalid, merge};
use crate::tokens::revocation::{self, Subject};
use crate::{Keystone, change, domains, projects};

pub const FILTERS: &[&str] = &["name", "enabled", "domain_id"];

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    let domain = list_domain(&ctx, params.get("domain_id"));
    rules::LIST.enforce(&ctx, &Target { domain, ..Target::default() })?;
    let mut users = store::list(&mut *keystone.db.read().await?, domain).await?;
    for filter in params.all("password_expires_at").filter_map(rules::expires_filter) {
        let (comparison, instant) = filter?;
        users.retain(|u| u.password_expires_at.is_some_and(|at| comparison(at.cmp(&instant))));
    }
    let views = users.iter().map(|u| view::user(u, &origin)).collect();
    Ok(collection(&origin, &params, "users", views, FILTERS)?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
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

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    let mut fields = Fields::of(body, "user")?;
    let name = fields.name("name", 255)?.ok_or_else(|| Fields::required("name"))?;
    let asked = fields.id("domain_id")?;
    // A domain's manager has to name the domain.
    rules::CREATE.enforce(&ctx, &Target { domain: asked.as_deref(), ..Target::default() })?;
    let domain_id = asked.unwrap_or_else(|| default_domain(&ctx).to_owned());
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
        password_changed_at: None,
        password_expires_at: None,
        failed_logins: 0,
        failed_login_at: None,
        options: Default::default(),
        extra: described(fields)?,
    };
    rules::merge_options(&mut user.options, &options);
    let password = match password {
        Some(password) => {
            keystone.security.check_strength(password.expose_secret())?;
            let hash = Some(keystone.passwords.hash(password).await?);
            Some(new_password(&keystone, &mut user, hash))
        }
        None => None,
    };
    change!(keystone, &ctx, "user.create", &user.id, |tx| {
        domains::store::require(tx, &user.domain_id).await?;
        check_default_project(tx, user.default_project_id.as_deref()).await?;
        let inserted = store::insert(tx, &user).await;
        inserted.map_err(|e| unique(e, || duplicate("user", &user.name, &user.domain_id)))?;
        if let Some(password) = &password {
            store::set_password(tx, &user.id, password).await?;
        }
        Ok(())
    })?;
    Ok(answer(201, &user, &origin))
}

/// A password that somebody else than its user chose.
fn new_password(keystone: &Keystone, user: &mut User, hash: Option<String>) -> NewPassword {
    let expires_at = hash.as_ref().and_then(|_| keystone.security.expiry(user, true, base::time::now()));
    user.password_expires_at = expires_at;
    NewPassword { hash, expires_at, history: keystone.security.history() }
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
    Call { keystone, ctx, origin, .. }: Call,
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
        Some(Some(password)) => {
            keystone.security.check_strength(password.expose_secret())?;
            Some(Some(keystone.passwords.hash(password).await?))
        }
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
            let password = new_password(&keystone, &mut user, hash.clone());
            store::set_password(tx, &id, &password).await?;
        } else if enabled == Some(true) {
            // An admin lets a user in again who was locked out.
            store::forget_failures(tx, &id).await?;
        }
        Ok(user)
    })?;
    Ok(answer(200, &user, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::DELETE.find(&ctx, found, rules::target, || not_found("user", &id))?;
    change!(keystone, &ctx, "user.delete", &id, |tx| Ok(store::delete(tx, &id).await?))?;
    Ok(web::no_content(204))
}

fn answer(status: u16, user: &User, origin: &Origin) -> Response {
    web::json(status, &json!({"user": view::user(user, origin)}))
}
