//! /v3/domains/{id}/config, /config/{group}, /config/{group}/{option}, and the defaults under /v3/domains/config.

use std::collections::HashMap;

use base::Error;
use serde_json::{Map, Value};
use web::{Json, Path, Response, Result};

use super::rules::{Part, invalid};
use super::{DomainOption, rules, store};
use crate::access::Target;
use crate::call::{Call, one};
use crate::schema::Fields;
use crate::{DEFAULT_DOMAIN, Keystone, change, domains};

type Parameters = Path<HashMap<String, String>>;

/// The group whose settings are the cloud's, not a domain's.
const SECURITY: &str = "security_compliance";

fn part(parameters: &HashMap<String, String>) -> Part<'_> {
    let get = |key: &str| parameters.get(key).map(String::as_str);
    Part { group: get("group"), option: get("option") }
}

fn domain(parameters: &HashMap<String, String>) -> &str {
    parameters.get("domain_id").map_or("", String::as_str)
}

fn answer(status: u16, config: Map<String, Value>) -> Response {
    one(status, "config", Value::Object(config))
}

fn config(body: Value) -> Result<Map<String, Value>, Error> {
    let mut fields = Fields::from_value(body)?;
    fields.object("config")?.ok_or_else(|| Fields::required("config"))
}

pub async fn get(Call { keystone, ctx, .. }: Call, Path(parameters): Parameters) -> Result {
    let (id, part) = (domain(&parameters), part(&parameters));
    if part.group == Some(SECURITY) {
        rules::GET_SECURITY.enforce(&ctx, &Target::default())?;
        domains::store::require(&mut *keystone.db.read().await?, id).await?;
        return Ok(answer(200, security(&keystone, id, part.option)?));
    }
    rules::GET.enforce(&ctx, &Target::default())?;
    part.check()?;
    let mut conn = keystone.db.read().await?;
    domains::store::require(&mut conn, id).await?;
    let shown = rules::shown(&store::of_domain(&mut conn, id).await?, part);
    if shown.is_empty() { Err(part.missing(id).into()) } else { Ok(answer(200, shown)) }
}

/// The rule for passwords, which holds in every domain and is told at the default one.
fn security(keystone: &Keystone, domain_id: &str, option: Option<&str>) -> Result<Map<String, Value>, Error> {
    if domain_id != DEFAULT_DOMAIN {
        return Err(invalid(
            "Reading security compliance information for any domain other than the default domain is not allowed \
             or supported",
        ));
    }
    let mut values = keystone.security.password_rule();
    match option {
        None => Ok(Map::from_iter([(SECURITY.to_owned(), Value::Object(values))])),
        Some(option) => match values.shift_remove(option) {
            Some(value) => Ok(Map::from_iter([(option.to_owned(), value)])),
            None => Err(invalid(
                "Reading security compliance values other than password_regex and password_regex_description is \
                 not allowed",
            )),
        },
    }
}

pub async fn get_default(Call { ctx, .. }: Call, Path(parameters): Parameters) -> Result {
    rules::GET_DEFAULT.enforce(&ctx, &Target::default())?;
    let part = part(&parameters);
    part.check()?;
    let shown = rules::shown(&rules::default_options(), part);
    if shown.is_empty() {
        return Err(invalid("Reading the default of that option is not supported").into());
    }
    Ok(answer(200, shown))
}

/// Secrets are encrypted as credentials are.
fn sealed(keystone: &Keystone, mut options: Vec<DomainOption>) -> Vec<DomainOption> {
    for option in options.iter_mut().filter(|o| o.sensitive) {
        option.value = Value::String(keystone.credential_keys.encrypt(option.value.to_string().as_bytes()));
    }
    options
}

/// Replaces whatever there was.
pub async fn create(
    Call { keystone, ctx, .. }: Call,
    Path(parameters): Parameters,
    Json(body): Json<Value>,
) -> Result {
    rules::CREATE.enforce(&ctx, &Target::default())?;
    let id = domain(&parameters);
    let options = sealed(&keystone, rules::options(config(body)?)?);
    let existed = change!(keystone, &ctx, "domain_config.create", id, |tx| {
        domains::store::require(tx, id).await?;
        let existed = !store::of_domain(tx, id).await?.is_empty();
        store::clear(tx, id).await?;
        for option in &options {
            store::put(tx, id, option).await?;
        }
        Ok(existed)
    })?;
    Ok(answer(if existed { 200 } else { 201 }, rules::shown(&options, Part::ALL)))
}

pub async fn update(
    Call { keystone, ctx, .. }: Call,
    Path(parameters): Parameters,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE.enforce(&ctx, &Target::default())?;
    let (id, part) = (domain(&parameters), part(&parameters));
    let mut config = config(body)?;
    if let (Some(group), Some(_)) = (part.group, part.option) {
        // For one option the body is `{"config": {option: value}}`.
        config = Map::from_iter([(group.to_owned(), Value::Object(config))]);
    }
    let options = rules::options(config)?;
    rules::check_patch(part, &options)?;
    let options = sealed(&keystone, options);
    let stored = change!(keystone, &ctx, "domain_config.update", id, |tx| {
        domains::store::require(tx, id).await?;
        if part.group.is_some() && !store::of_domain(tx, id).await?.iter().any(|o| part.holds(o)) {
            return Err(part.missing(id));
        }
        for option in &options {
            store::put(tx, id, option).await?;
        }
        Ok(store::of_domain(tx, id).await?)
    })?;
    Ok(answer(200, rules::shown(&stored, Part::ALL)))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(parameters): Parameters) -> Result {
    rules::DELETE.enforce(&ctx, &Target::default())?;
    let (id, part) = (domain(&parameters), part(&parameters));
    part.check()?;
    change!(keystone, &ctx, "domain_config.delete", id, |tx| {
        domains::store::require(tx, id).await?;
        let stored = store::of_domain(tx, id).await?;
        let doomed: Vec<_> = stored.iter().filter(|o| part.holds(o)).collect();
        if part.group.is_some() && doomed.is_empty() {
            return Err(part.missing(id));
        }
        for option in doomed {
            store::delete(tx, id, option).await?;
        }
        Ok(())
    })?;
    Ok(web::no_content(204))
}
