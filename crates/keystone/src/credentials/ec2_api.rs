//! /v3/users/{id}/credentials/OS-EC2: keys for EC2's and S3's ways to sign, kept as credentials of type `ec2`.

use base::Error;
use http::HeaderMap;
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Result, State};

use super::{Credential, rules, store};
use crate::access::Target;
use crate::application_credentials::api::own_session;
use crate::application_credentials::rules::check_unrestricted;
use crate::assignments::{self, Place};
use crate::errors::{forbidden_action, not_found};
use crate::listing::{collection, url};
use crate::{Keystone, Service, change, projects, users};

const KIND: &str = "ec2";

fn view(keystone: &Keystone, credential: &Credential, origin: &Origin) -> Result<Value, Error> {
    let blob = keystone
        .credential_keys
        .decrypt(&credential.encrypted_blob)
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .ok_or_else(|| Error::internal(format!("credential {} cannot be read", credential.id)))?;
    let access = blob["access"].as_str().unwrap_or_default();
    let path = format!("users/{}/credentials/OS-EC2/{access}", credential.user_id);
    Ok(json!({
        "access": access,
        "secret": blob["secret"],
        "user_id": credential.user_id,
        "tenant_id": credential.project_id,
        "trust_id": blob["trust_id"],
        "links": {"self": url(origin, &path)},
    }))
}

async fn find(keystone: &Keystone, user: &str, access: &str) -> Result<Credential, Error> {
    let id = rules::ec2_id(access);
    store::get(&mut *keystone.db.read().await?, &id)
        .await?
        .filter(|c| c.user_id == user && c.kind == KIND)
        .ok_or_else(|| not_found("credential", access))
}

pub async fn list(
    State(keystone): Service,
    Caller(ctx): Caller,
    origin: Origin,
    params: Params,
    Path(user): Path<String>,
) -> Result {
    rules::EC2_LIST.enforce(&ctx, &Target::user(&user))?;
    let found = store::of_user(&mut *keystone.db.read().await?, &user).await?;
    let ours = found.iter().filter(|c| c.kind == KIND);
    let views = ours.map(|c| view(&keystone, c, &origin)).collect::<Result<Vec<_>, _>>()?;
    Ok(collection(&origin, &params, "credentials", views, &[])?)
}

pub async fn get(
    State(keystone): Service,
    Caller(ctx): Caller,
    origin: Origin,
    Path((user, access)): Path<(String, String)>,
) -> Result {
    rules::EC2_GET.enforce(&ctx, &Target::user(&user))?;
    let credential = find(&keystone, &user, &access).await?;
    Ok(web::json(200, &json!({"credential": view(&keystone, &credential, &origin)?})))
}

pub async fn create(
    State(keystone): Service,
    Caller(ctx): Caller,
    headers: HeaderMap,
    origin: Origin,
    Path(user): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::EC2_CREATE.enforce(&ctx, &Target::user(&user))?;
    check_unrestricted(&*own_session(&keystone, &headers).await?, &rules::EC2_CREATE)?;
    let project = match body.get("tenant_id") {
        Some(Value::String(id)) => id.clone(),
        _ => return Err(crate::errors::expecting("tenant_id", "request body").into()),
    };
    {
        let mut conn = keystone.db.read().await?;
        users::store::get(&mut conn, &user).await?.ok_or_else(|| not_found("user", &user))?;
        projects::store::require(&mut conn, &project).await?;
        // A key for a project that its owner cannot enter would be a way in once the owner could.
        let place = Place::Project(project.clone());
        if assignments::store::role_ids(&mut conn, &user, &place).await?.is_empty() && !ctx.is_admin() {
            return Err(forbidden_action(rules::EC2_CREATE.route.name).into());
        }
    }
    let access = base::id::hex();
    let blob = json!({"access": access, "secret": base::id::hex(), "trust_id": null}).to_string();
    let credential = Credential {
        id: rules::ec2_id(&access),
        user_id: user,
        project_id: Some(project),
        kind: KIND.into(),
        encrypted_blob: keystone.credential_keys.encrypt(blob.as_bytes()),
        extra: Default::default(),
    };
    change!(keystone, &ctx, "credential.create", &credential.id, |tx| {
        Ok(store::insert(tx, &credential).await?)
    })?;
    Ok(web::json(201, &json!({"credential": view(&keystone, &credential, &origin)?})))
}

pub async fn delete(
    State(keystone): Service,
    Caller(ctx): Caller,
    headers: HeaderMap,
    Path((user, access)): Path<(String, String)>,
) -> Result {
    rules::EC2_DELETE.enforce(&ctx, &Target::user(&user))?;
    check_unrestricted(&*own_session(&keystone, &headers).await?, &rules::EC2_DELETE)?;
    let credential = find(&keystone, &user, &access).await?;
    change!(keystone, &ctx, "credential.delete", &credential.id, |tx| {
        Ok(store::delete(tx, &credential.id).await?)
    })?;
    Ok(web::no_content(204))
}
