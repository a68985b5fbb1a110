//! /v3/users/{id}/credentials/OS-EC2: keys for EC2's and S3's ways to sign, kept as credentials of type `ec2`.

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Json, Origin, Path, Result};

use super::{Credential, rules, store};
use crate::access::{Policy, Target};
use crate::application_credentials::rules::check_unrestricted;
use crate::call::{Call, Own};
use crate::errors::not_found;
use crate::listing::{collection, url};
use crate::{Keystone, change, projects, users};

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

/// By the access key alone: whose it is, and not whose name is in the URL, decides who may have it.
async fn find(keystone: &Keystone, ctx: &Ctx, policy: &Policy, access: &str) -> Result<Credential, Error> {
    let id = rules::ec2_id(access);
    let found = store::get(&mut *keystone.db.read().await?, &id).await?.filter(|c| c.kind == KIND);
    policy.find_first(ctx, found, rules::target, || not_found("credential", access))
}

pub async fn list(
    Call { keystone, ctx, origin, params }: Call,
    Own(session): Own,
    Path(user): Path<String>,
) -> Result {
    rules::EC2_LIST.enforce(&ctx, &Target::user(&user))?;
    let found = store::of_user(&mut *keystone.db.read().await?, &user).await?;
    let ours = found
        .iter()
        .filter(|c| c.kind == KIND && rules::check_delegation(&session, c.project_id.as_deref()).is_ok());
    let views = ours.map(|c| view(&keystone, c, &origin)).collect::<Result<Vec<_>, _>>()?;
    Ok(collection(&origin, &params, "credentials", views, &[])?)
}

pub async fn get(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path((_, access)): Path<(String, String)>,
) -> Result {
    let credential = find(&keystone, &ctx, &rules::EC2_GET, &access).await?;
    rules::check_delegation(&session, credential.project_id.as_deref())?;
    Ok(web::json(200, &json!({"credential": view(&keystone, &credential, &origin)?})))
}

pub async fn create(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path(user): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::EC2_CREATE.enforce(&ctx, &Target::user(&user))?;
    check_unrestricted(&session, &rules::EC2_CREATE)?;
    let project = match body.get("tenant_id") {
        Some(Value::String(id)) => id.clone(),
        _ => return Err(crate::errors::expecting("tenant_id", "request body").into()),
    };
    {
        let mut conn = keystone.db.read().await?;
        users::store::get(&mut conn, &user).await?.ok_or_else(|| not_found("user", &user))?;
        projects::store::require(&mut conn, &project).await?;
    }
    rules::check_delegation(&session, Some(&project))?;
    let access = base::id::hex();
    let blob =
        json!({"access": access, "secret": base::id::hex(), "trust_id": session.claims.trust_id}).to_string();
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
    Call { keystone, ctx, .. }: Call,
    Own(session): Own,
    Path((_, access)): Path<(String, String)>,
) -> Result {
    let credential = find(&keystone, &ctx, &rules::EC2_DELETE, &access).await?;
    rules::check_delegation(&session, credential.project_id.as_deref())?;
    change!(keystone, &ctx, "credential.delete", &credential.id, |tx| {
        Ok(store::delete(tx, &credential.id).await?)
    })?;
    Ok(web::no_content(204))
}
