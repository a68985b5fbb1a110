//! /v3/roles/{prior}/implies and /v3/role_inferences

use base::Error;
use serde_json::{Value, json};
use web::{Origin, Path, Result};

use super::rules::RoleBook;
use super::{Role, rules, store, view};
use crate::access::Target;
use crate::call::Call;
use crate::errors::not_found;
use crate::listing::url;
use crate::{Keystone, change};

fn role<'a>(book: &'a RoleBook, id: &str) -> Result<&'a Role, Error> {
    book.get(id).ok_or_else(|| not_found("role", id))
}

fn inference(prior: &Role, implied: &[&Role], origin: &Origin) -> Value {
    let implies: Vec<Value> = implied.iter().map(|r| view::brief(r, origin)).collect();
    json!({"prior_role": view::brief(prior, origin), "implies": implies})
}

fn pair(prior: &Role, implied: &Role, origin: &Origin) -> Value {
    json!({
        "role_inference": {
            "prior_role": view::brief(prior, origin),
            "implies": view::brief(implied, origin),
        },
        "links": {"self": url(origin, &format!("roles/{}/implies/{}", prior.id, implied.id))},
    })
}

pub async fn list(Call { keystone, ctx, origin, .. }: Call, Path(prior): Path<String>) -> Result {
    rules::LIST_IMPLIED.enforce(&ctx, &Target::default())?;
    let snapshot = keystone.snapshot().await?;
    let prior = role(&snapshot.roles, &prior)?;
    let implied: Vec<&Role> = snapshot.roles.implied_by(&prior.id).collect();
    let link = url(&origin, &format!("roles/{}/implies", prior.id));
    let body = json!({"role_inference": inference(prior, &implied, &origin), "links": {"self": link}});
    Ok(web::json(200, &body))
}

pub async fn list_all(Call { keystone, ctx, origin, .. }: Call) -> Result {
    rules::LIST_INFERENCES.enforce(&ctx, &Target::default())?;
    let snapshot = keystone.snapshot().await?;
    let inferences: Vec<Value> = snapshot
        .roles
        .priors()
        .into_iter()
        .map(|prior| inference(prior, &snapshot.roles.implied_by(&prior.id).collect::<Vec<_>>(), &origin))
        .collect();
    let body = json!({"role_inferences": inferences, "links": {"self": url(&origin, "role_inferences")}});
    Ok(web::json(200, &body))
}

async fn find(keystone: &Keystone, prior: &str, implied: &str, origin: &Origin) -> Result<Value, Error> {
    let snapshot = keystone.snapshot().await?;
    let (prior, implied) = (role(&snapshot.roles, prior)?, role(&snapshot.roles, implied)?);
    if snapshot.roles.implied_by(&prior.id).any(|r| r.id == implied.id) {
        Ok(pair(prior, implied, origin))
    } else {
        Err(Error::not_found(format!("{} does not imply {}.", prior.id, implied.id)))
    }
}

pub async fn get(
    Call { keystone, ctx, origin, .. }: Call,
    Path((prior, implied)): Path<(String, String)>,
) -> Result {
    rules::GET_IMPLIED.enforce(&ctx, &Target::default())?;
    Ok(web::json(200, &find(&keystone, &prior, &implied, &origin).await?))
}

pub async fn check(
    Call { keystone, ctx, origin, .. }: Call,
    Path((prior, implied)): Path<(String, String)>,
) -> Result {
    rules::CHECK_IMPLIED.enforce(&ctx, &Target::default())?;
    find(&keystone, &prior, &implied, &origin).await?;
    Ok(web::no_content(204))
}

pub async fn create(
    Call { keystone, ctx, origin, .. }: Call,
    Path((prior, implied)): Path<(String, String)>,
) -> Result {
    rules::CREATE_IMPLIED.enforce(&ctx, &Target::default())?;
    {
        let snapshot = keystone.snapshot().await?;
        let (prior, implied) = (role(&snapshot.roles, &prior)?, role(&snapshot.roles, &implied)?);
        if !snapshot.roles.implied_by(&prior.id).any(|r| r.id == implied.id) {
            snapshot.roles.check_implication(prior, implied)?;
        }
    }
    change!(keystone, &ctx, "role.imply", &prior, |tx| Ok(store::imply(tx, &prior, &implied).await?))?;
    Ok(web::json(201, &find(&keystone, &prior, &implied, &origin).await?))
}

pub async fn delete(
    Call { keystone, ctx, origin, .. }: Call,
    Path((prior, implied)): Path<(String, String)>,
) -> Result {
    rules::DELETE_IMPLIED.enforce(&ctx, &Target::default())?;
    find(&keystone, &prior, &implied, &origin).await?;
    change!(keystone, &ctx, "role.unimply", &prior, |tx| Ok(store::unimply(tx, &prior, &implied).await?))?;
    Ok(web::no_content(204))
}
