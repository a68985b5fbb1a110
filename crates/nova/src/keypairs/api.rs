//! `/v2.1/os-keypairs`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Response, Result, State, no_content};

use super::{Keypair, policy, ssh, store, view, x509};
use crate::Nova;
use crate::schema::{self, Field, Kind};

const NAME: Kind =
    Kind::Text(1, 255, |c| c.is_ascii_alphanumeric() || "_- ".contains(c), r"^[_\- a-zA-Z0-9]+$");
const WIDER_NAME: Kind =
    Kind::Text(1, 255, |c| c.is_ascii_alphanumeric() || "_-@. ".contains(c), r"^[_\-\@\. a-zA-Z0-9]+$");

const CREATE: &[Field] = &[
    Field::new("name", NAME).until(91).required(),
    Field::new("name", WIDER_NAME).from(92).required(),
    Field::new("type", Kind::Enum(&["ssh", "x509"])).from(2),
    Field::new("public_key", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")).required_from(92),
    Field::new("user_id", Kind::Text(0, 255, schema::ANY_CHAR, "")).from(10),
];

/// Whose key pairs: a query's user_id (2.10) is for admins.
fn owner<'a>(ctx: &'a Ctx, asked: Option<&'a str>, policy: &base::Policy) -> Result<&'a str> {
    match asked.filter(|_| ctx.at_least(2, 10)) {
        Some(user) if user != ctx.user_id() && !ctx.is_admin() => {
            Err(Error::forbidden(format!("Policy doesn't allow {} to be performed.", policy.name)).into())
        }
        Some(user) => Ok(user),
        None => Ok(ctx.user_id()),
    }
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    let known: &[&str] = &["user_id", "limit", "marker"];
    crate::query::only(&ctx, &params, known)?;
    let user = owner(&ctx, params.get("user_id"), &policy::LIST)?;
    let all = store::list(&mut nova.db.read().await?, user).await?;
    let paged = ctx.at_least(2, 35);
    let page = if paged { crate::query::page(&params)? } else { base::Page::default() };
    let (keypairs, more) = page.cut(all, crate::query::MAX_LIMIT, |k| &k.name).ok_or_else(|| {
        Error::bad_request(format!("Marker {} could not be found.", page.marker.clone().unwrap_or_default()))
    })?;
    let list: Vec<Value> = keypairs.iter().map(|k| json!({"keypair": view::brief(&ctx, k)})).collect();
    let mut body = json!({"keypairs": list});
    if let (true, true, Some(last)) = (paged, more, keypairs.last()) {
        body["keypairs_links"] = web::next_link(&params, &origin.0, &last.name);
    }
    Ok(web::json(200, &body))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "keypair", CREATE, ctx.microversion.minor)?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let name = text("name").unwrap_or_default();
    if name.trim() != name {
        let message = "An invalid 'name' value was provided. The name must be: printable characters. \
                       Can not start or end with whitespace.";
        return Err(schema::invalid("name", &fields["name"], message).into());
    }
    let user = owner(&ctx, text("user_id"), &policy::CREATE)?;
    let kind = text("type").unwrap_or("ssh");
    let invalid =
        |reason: &dyn std::fmt::Display| Error::bad_request(format!("Keypair data is invalid: {reason}"));
    let (public_key, fingerprint, private_key) = match (text("public_key"), kind) {
        (Some(key), "ssh") => (key.to_owned(), ssh::fingerprint(key).map_err(|e| invalid(&e))?, None),
        (Some(key), _) => {
            let fingerprint =
                x509::fingerprint(key).ok_or_else(|| invalid(&"failed to generate X509 fingerprint"))?;
            (key.to_owned(), fingerprint, None)
        }
        (None, "ssh") => {
            let pair = tokio::task::spawn_blocking(ssh::generate)
                .await
                .map_err(Error::internal)?
                .map_err(Error::internal)?;
            let fingerprint = ssh::fingerprint(&pair.public_key).map_err(Error::internal)?;
            (pair.public_key, fingerprint, Some(pair.private_key))
        }
        (None, _) => {
            let owner = user.to_owned();
            let (certificate, private_key) = tokio::task::spawn_blocking(move || x509::generate(&owner))
                .await
                .map_err(Error::internal)?
                .map_err(Error::internal)?;
            let fingerprint = x509::fingerprint(&certificate)
                .ok_or_else(|| Error::internal("a certificate made here has no fingerprint"))?;
            (certificate, fingerprint, Some(private_key))
        }
    };
    let keypair = Keypair {
        user_id: user.into(),
        name: name.into(),
        number: 0,
        kind: kind.into(),
        fingerprint,
        public_key,
        created_at: base::time::now(),
    };
    let limits = crate::quotas::limits(&mut *nova.db.read().await?, ctx.project().map(|p| &*p.id)).await?;
    store::create(&nova.db, &ctx, &keypair, limits.of("key_pairs")).await?;
    let status = if ctx.at_least(2, 2) { 201 } else { 200 };
    Ok(web::json(status, &json!({"keypair": view::created(&ctx, &keypair, private_key.as_deref())})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["user_id"])?;
    let user = owner(&ctx, params.get("user_id"), &policy::SHOW)?;
    let keypair = store::get(&mut nova.db.read().await?, user, &name)
        .await?
        .ok_or_else(|| store::not_found(user, &name))?;
    Ok(web::json(200, &json!({"keypair": view::full(&ctx, &keypair)})))
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["user_id"])?;
    let user = owner(&ctx, params.get("user_id"), &policy::DELETE)?;
    store::delete(&nova.db, &ctx, user, &name).await?;
    Ok(no_content(if ctx.at_least(2, 2) { 204 } else { 202 }))
}
