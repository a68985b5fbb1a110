//! /v3/users/{id}/application_credentials

use base::{Ctx, Error, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use web::{Json, Path, Result};

use super::rules::RuleSpec;
use super::{ApplicationCredential, rules, store, view};
use crate::access::{Policy, Target};
use crate::call::{Call, Own};
use crate::errors::{conflict, not_found, unique};
use crate::listing::collection;
use crate::passwords::generate_secret;
use crate::schema::{Fields, expiry, invalid};
use crate::{Keystone, change};

pub async fn list(
    Call { keystone, ctx, origin, params }: Call,
    Own(session): Own,
    Path(user): Path<String>,
) -> Result {
    rules::LIST.enforce(&ctx, &Target::user(&user))?;
    rules::check_not_delegated(&session)?;
    let snapshot = keystone.snapshot().await?;
    let mut conn = keystone.db.read().await?;
    let credentials = store::of_user(&mut conn, &user).await?;
    let access = store::rules_of_user(&mut conn, &user).await?;
    let views = credentials
        .iter()
        .map(|c| view::application_credential(c, &snapshot.roles, &access, &origin))
        .collect();
    Ok(collection(&origin, &params, "application_credentials", views, &["name"])?)
}

/// Whose it is decides who may have it, whatever the URL says; one that is missing counts as the URL's user's.
async fn find(
    keystone: &Keystone,
    ctx: &Ctx,
    policy: &Policy,
    user: &str,
    id: &str,
) -> Result<ApplicationCredential, Error> {
    let found = store::get(&mut *keystone.db.read().await?, id).await?;
    let owner = found.as_ref().map_or(user, |c| c.user_id.as_str());
    policy.enforce(ctx, &Target::user(owner))?;
    found.ok_or_else(|| not_found("Application Credential", id))
}

pub async fn get(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path((user, id)): Path<(String, String)>,
) -> Result {
    let credential = find(&keystone, &ctx, &rules::GET, &user, &id).await?;
    rules::check_not_delegated(&session)?;
    let access = store::rules_of_user(&mut *keystone.db.read().await?, &credential.user_id).await?;
    let snapshot = keystone.snapshot().await?;
    let view = view::application_credential(&credential, &snapshot.roles, &access, &origin);
    Ok(web::json(200, &json!({"application_credential": view})))
}

struct Wanted {
    name: String,
    description: Option<String>,
    secret: Option<SecretString>,
    expires_at: Option<i64>,
    unrestricted: bool,
    roles: Option<Vec<Value>>,
    access_rules: Vec<RuleSpec>,
}

fn parse(body: Value) -> Result<Wanted, Error> {
    let mut fields = Fields::of(body, "application_credential")?;
    let expires_at = fields.nullable_text("expires_at")?.flatten().map(|text| expiry(&text)).transpose()?;
    let secret = match fields.take("secret") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if !text.is_empty() => Some(SecretString::from(text)),
        Some(_) => return Err(invalid("secret", "not a string of at least one character")),
    };
    let rules = fields.list("access_rules")?.unwrap_or_default();
    Ok(Wanted {
        name: fields.name("name", 255)?.ok_or_else(|| Fields::required("name"))?,
        description: fields.nullable_text("description")?.flatten(),
        secret,
        expires_at,
        unrestricted: fields.flag("unrestricted")?.unwrap_or(false),
        roles: fields.list("roles")?.filter(|r| !r.is_empty()),
        access_rules: rules.into_iter().map(rules::parse_rule).collect::<Result<_, _>>()?,
    })
}

pub async fn create(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path(user): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::CREATE.enforce(&ctx, &Target::user(&user))?;
    rules::check_not_delegated(&session)?;
    rules::check_unrestricted(&session, &rules::CREATE)?;
    let wanted = parse(body)?;
    let Scope::Project(project) = &ctx.auth.scope else {
        return Err(Error::bad_request(
            "Invalid application credential: a project-scoped token is required to create one",
        )
        .into());
    };
    let snapshot = keystone.snapshot().await?;
    let held: Vec<_> = {
        let names = &ctx.auth.roles;
        let global = snapshot.roles.all().filter(|r| r.domain_id.is_empty() && names.contains(&r.name));
        global.map(|r| crate::roles::RoleRef { id: r.id.clone(), name: r.name.clone() }).collect()
    };
    let role_ids = match &wanted.roles {
        Some(asked) => rules::pick_roles(asked, &held)?,
        None => held.iter().map(|r| r.id.clone()).collect(),
    };
    let (secret, secret_hash) = match wanted.secret {
        Some(secret) => {
            let hash = keystone.passwords.hash(secret.clone()).await?;
            (secret, hash)
        }
        None => generate_secret(),
    };
    let template = ApplicationCredential {
        id: base::id::hex(),
        name: wanted.name,
        user_id: user,
        project_id: project.id.clone(),
        description: wanted.description,
        secret_hash,
        expires_at: wanted.expires_at,
        unrestricted: wanted.unrestricted,
        role_ids,
        access_rule_ids: Vec::new(),
    };
    let (credential, access) =
        change!(keystone, &ctx, "application_credential.create", &template.id, |tx| {
            let mut credential = template.clone();
            let access = resolve_rules(tx, &credential.user_id, &wanted.access_rules).await?;
            credential.access_rule_ids = access.iter().map(|r| r.id.clone()).collect();
            let inserted = store::insert(tx, &credential).await;
            inserted.map_err(|e| {
                unique(e, || {
                    let name = &credential.name;
                    conflict("application_credential", format!("Duplicate entry found with name {name}"))
                })
            })?;
            Ok((credential, access))
        })?;
    let mut view = view::application_credential(&credential, &snapshot.roles, &access, &origin);
    // Shown this once; only its hash is kept.
    view["secret"] = json!(secret.expose_secret());
    Ok(web::json(201, &json!({"application_credential": view})))
}

async fn resolve_rules(
    conn: &mut db::AnyConnection,
    user: &str,
    specs: &[RuleSpec],
) -> Result<Vec<super::AccessRule>, Error> {
    let mut found: Vec<super::AccessRule> = Vec::new();
    for spec in specs {
        let rule = match spec {
            RuleSpec::Existing(id) => store::rules_of_user(conn, user)
                .await?
                .into_iter()
                .find(|r| r.id == *id)
                .ok_or_else(|| not_found("Access Rule", id))?,
            RuleSpec::New { service, path, method } => {
                store::ensure_rule(conn, user, service, path, method).await?
            }
        };
        if !found.contains(&rule) {
            found.push(rule);
        }
    }
    Ok(found)
}

pub async fn delete(
    Call { keystone, ctx, .. }: Call,
    Own(session): Own,
    Path((user, id)): Path<(String, String)>,
) -> Result {
    find(&keystone, &ctx, &rules::DELETE, &user, &id).await?;
    rules::check_not_delegated(&session)?;
    rules::check_unrestricted(&session, &rules::DELETE)?;
    change!(keystone, &ctx, "application_credential.delete", &id, |tx| Ok(store::delete(tx, &id).await?))?;
    Ok(web::no_content(204))
}
