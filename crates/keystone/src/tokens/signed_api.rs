//! POST /v3/ec2tokens and /v3/s3tokens: a service that was sent a signed request has the signature checked, and gets a
//! token for whoever signed.

use base::Error;
use serde_json::{Map, Value};
use web::{Json, Result};

use super::{api, rules};
use crate::access::Target;
use crate::call::Call;
use crate::errors::unauthorized;
use crate::signatures::{Ec2Request, verifies_s3};
use crate::{Keystone, credentials};

/// How old a signed request may be: 15 minutes, as Keystone's default.
const FRESH_MICROS: i64 = 15 * 60 * 1_000_000;

pub async fn ec2(Call { keystone, ctx, params, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::EC2.enforce(&ctx, &Target::default())?;
    let signed = signed(&body)?;
    let signature = text(signed, "signature").ok_or_else(unauthorized)?;
    let login =
        verified(&keystone, signed, |secret| Ec2Request::new(signed).verifies(secret, signature)).await?;
    let (token, session) = keystone.issue_by_key(login).await?;
    api::answer(&keystone, 200, &token, &session, &params).await
}

/// The token itself is not given out: the answer says who it is.
pub async fn s3(Call { keystone, ctx, params, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::S3.enforce(&ctx, &Target::default())?;
    let signed = signed(&body)?;
    let token = text(signed, "token").ok_or_else(unauthorized)?;
    let signature = text(signed, "signature").ok_or_else(unauthorized)?;
    let login = verified(&keystone, signed, |secret| verifies_s3(secret, token, signature)).await?;
    let (token, session) = keystone.issue_by_key(login).await?;
    let mut response = api::answer(&keystone, 200, &token, &session, &params).await?;
    response.headers_mut().remove(api::SUBJECT);
    Ok(response)
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

/// Three names have been in use.
fn signed(body: &Value) -> Result<&Map<String, Value>, Error> {
    let found =
        ["credentials", "credential", "ec2Credentials"].iter().find_map(|key| body.get(key)?.as_object());
    found.ok_or_else(|| unauthorized().because("the request holds no signed credentials"))
}

/// What a key says: whose it is, for which project, and by which delegation if there is one.
pub struct KeyLogin {
    pub user_id: String,
    pub project_id: String,
    pub trust_id: Option<String>,
    pub application_credential_id: Option<String>,
    pub access_token_id: Option<String>,
}

async fn verified(
    keystone: &Keystone,
    signed: &Map<String, Value>,
    right: impl FnOnce(&str) -> bool,
) -> Result<KeyLogin, Error> {
    let missing = || Error::not_found("EC2 access key not found.");
    let access = text(signed, "access").ok_or_else(unauthorized)?;
    let id = credentials::rules::ec2_id(access);
    let found = credentials::store::get(&mut *keystone.db.read().await?, &id).await?;
    let credential = found.filter(|c| c.kind == "ec2").ok_or_else(missing)?;
    let blob = credentials::api::plain(keystone, &credential)?;
    let blob: Map<String, Value> = serde_json::from_str(&blob).map_err(Error::internal)?;
    let secret = text(&blob, "secret").unwrap_or_default();
    if secret.is_empty() || !right(secret) {
        return Err(unauthorized().because("the signature is not that of the key"));
    }
    check_age(signed)?;
    let id = |key: &str| text(&blob, key).map(str::to_owned);
    Ok(KeyLogin {
        user_id: credential.user_id,
        project_id: credential.project_id.ok_or_else(unauthorized)?,
        trust_id: id("trust_id"),
        application_credential_id: id("app_cred_id"),
        access_token_id: id("access_token_id"),
    })
}

/// A request without a time was meant to hold for ever.
fn check_age(signed: &Map<String, Value>) -> Result<(), Error> {
    let within = |map: &str, key: &str| signed.get(map)?.get(key)?.as_str();
    let stamp = within("params", "Timestamp")
        .or_else(|| within("headers", "X-Amz-Date"))
        .or_else(|| within("params", "X-Amz-Date"));
    let Some(stamp) = stamp else { return Ok(()) };
    let at = base::time::parse(stamp)
        .ok_or_else(|| unauthorized().because("the time of the request cannot be read"))?;
    if base::time::now() > at.saturating_add(FRESH_MICROS) {
        return Err(unauthorized().because("the request was signed too long ago"));
    }
    Ok(())
}
