//! /v3/OS-OAUTH1/request_token, /authorize/{id} and /access_token: how a consumer comes by an access token.

use base::{Ctx, Error};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use web::{Json, Origin, Params, Path, Response, Result, State};

use super::consumers_api::missing;
use super::{Consumer, Kind, OauthToken, Signed, rules, store};
use crate::access::Target;
use crate::assignments::{self, Place};
use crate::call::{Call, Own};
use crate::errors::{expecting, not_found, unauthorized};
use crate::listing::url;
use crate::schema::wrong_type;
use crate::{Keystone, Service, change, projects};

fn signed(headers: &HeaderMap, origin: &Origin, params: &Params, path: &str) -> Result<Signed, Error> {
    Signed::of(headers, url(origin, path), params).ok_or_else(|| expecting("Authorization", "request"))
}

impl Keystone {
    pub(crate) fn unseal(&self, sealed: &str) -> Result<String, Error> {
        self.credential_keys
            .decrypt(sealed)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| Error::internal("an OAuth secret does not decrypt with any key"))
    }
}

/// `oauth_token=..&oauth_token_secret=..&oauth_expires_at=..`
fn answer(token: &OauthToken, secret: &str) -> Response {
    let end = base::time::micros_z(token.expires_at);
    let text = format!("oauth_token={}&oauth_token_secret={secret}&oauth_expires_at={end}", token.id);
    let mut response = web::raw_json(201, text);
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// There is no token: the consumer's signature is the proof.
fn by_consumer(consumer: &Consumer) -> Ctx {
    let mut ctx = Ctx::internal("oauth");
    let auth = std::sync::Arc::make_mut(&mut ctx.auth);
    auth.user.id.clone_from(&consumer.id);
    ctx
}

pub async fn request(
    State(keystone): Service,
    headers: HeaderMap,
    origin: Origin,
    params: Params,
) -> Result<Response> {
    let signed = signed(&headers, &origin, &params, "OS-OAUTH1/request_token")?;
    let consumer_id = signed.require("oauth_consumer_key")?;
    let project_id = headers
        .get("requested-project-id")
        .and_then(|v| v.to_str().ok())
        .ok_or_else(|| expecting("Requested-Project-Id", "request"))?;
    let consumer = {
        let mut conn = keystone.db.read().await?;
        projects::store::require(&mut conn, project_id).await?;
        store::consumer(&mut conn, consumer_id).await?.ok_or_else(missing)?
    };
    if !signed.verifies(&keystone.unseal(&consumer.encrypted_secret)?, "") {
        return Err(unauthorized().because("the signature is not the consumer's").into());
    }
    let secret = base::id::hex();
    let token = OauthToken {
        id: base::id::hex(),
        kind: Kind::Request,
        encrypted_secret: keystone.credential_keys.encrypt(secret.as_bytes()),
        consumer_id: consumer.id.clone(),
        project_id: project_id.to_owned(),
        verifier: None,
        authorizing_user_id: None,
        role_ids: Vec::new(),
        expires_at: base::time::now() + rules::REQUEST_MICROS,
    };
    change!(keystone, &by_consumer(&consumer), "request_token.create", &token.id, |tx| {
        Ok(store::insert_token(tx, &token).await?)
    })?;
    Ok(answer(&token, &secret))
}

async fn pending(keystone: &Keystone, id: &str) -> Result<OauthToken, Error> {
    let found = store::token(&mut *keystone.db.read().await?, Kind::Request, id).await?;
    let token = found.ok_or_else(|| Error::not_found("Request token not found"))?;
    if token.expires_at <= base::time::now() {
        return Err(unauthorized().because("the request token has expired"));
    }
    Ok(token)
}

/// Roles by id or by name.
fn asked_roles(body: &Value, book: &crate::roles::rules::RoleBook) -> Result<Vec<String>, Error> {
    let Some(Value::Array(asked)) = body.get("roles") else { return Ok(Vec::new()) };
    let mut ids = Vec::new();
    for role in asked {
        let map =
            role.as_object().filter(|m| m.len() == 1).ok_or_else(|| wrong_type("roles", role, "'object'"))?;
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        ids.push(match (text("id"), text("name")) {
            (Some(id), _) => id.to_owned(),
            (None, Some(name)) => {
                let found = book.all().find(|r| r.name == name && r.domain_id.is_empty());
                found.ok_or_else(|| not_found("role", name))?.id.clone()
            }
            (None, None) => return Err(wrong_type("roles", role, "'object'")),
        });
    }
    Ok(ids)
}

/// A user lets the consumer act for them with these roles.
pub async fn authorize(
    Call { keystone, ctx, .. }: Call,
    Own(session): Own,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::AUTHORIZE.enforce(&ctx, &Target::default())?;
    rules::check_not_delegated(&session, "authorize a request token")?;
    let mut token = pending(&keystone, &id).await?;
    let snapshot = keystone.snapshot().await?;
    let asked = asked_roles(&body, &snapshot.roles)?;
    let place = Place::Project(token.project_id.clone());
    let held = assignments::store::role_ids(&mut *keystone.db.read().await?, ctx.user_id(), &place).await?;
    let held = snapshot.roles.closure(held.iter().map(String::as_str));
    if !asked.iter().all(|id| held.iter().any(|(role, _)| role.id == *id)) {
        return Err(unauthorized()
            .because("the authorizing user does not have a role that is asked for")
            .into());
    }
    let verifier = base::id::hex()[..8].to_owned();
    token.verifier = Some(verifier.clone());
    token.authorizing_user_id = Some(ctx.user_id().to_owned());
    token.role_ids = asked;
    change!(keystone, &ctx, "request_token.authorize", &id, |tx| Ok(store::authorize(tx, &token).await?))?;
    Ok(web::json(200, &json!({"token": {"oauth_verifier": verifier}})))
}

pub async fn access(
    State(keystone): Service,
    headers: HeaderMap,
    origin: Origin,
    params: Params,
) -> Result<Response> {
    let signed = signed(&headers, &origin, &params, "OS-OAUTH1/access_token")?;
    let consumer_id = signed.require("oauth_consumer_key")?;
    let request_id = signed.require("oauth_token")?;
    let verifier = signed.require("oauth_verifier")?;
    let request = pending(&keystone, request_id).await?;
    let found = store::consumer(&mut *keystone.db.read().await?, consumer_id).await?;
    let consumer = found
        .filter(|c| c.id == request.consumer_id)
        .ok_or_else(|| unauthorized().because("the request token is another consumer's"))?;
    let secrets = (keystone.unseal(&consumer.encrypted_secret)?, keystone.unseal(&request.encrypted_secret)?);
    if request.verifier.as_deref() != Some(verifier) || !signed.verifies(&secrets.0, &secrets.1) {
        return Err(unauthorized().because("the verifier or the signature is wrong").into());
    }
    let secret = base::id::hex();
    let token = OauthToken {
        id: base::id::hex(),
        kind: Kind::Access,
        encrypted_secret: keystone.credential_keys.encrypt(secret.as_bytes()),
        verifier: None,
        expires_at: base::time::now() + rules::ACCESS_MICROS,
        ..request
    };
    change!(keystone, &by_consumer(&consumer), "access_token.create", &token.id, |tx| {
        if !store::delete_token(tx, request_id).await? {
            return Err(unauthorized().because("the request token was used already"));
        }
        Ok(store::insert_token(tx, &token).await?)
    })?;
    Ok(answer(&token, &secret))
}
