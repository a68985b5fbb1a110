//! /v3/OS-TRUST/trusts

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Json, Path, Result};

use super::rules::Redelegation;
use super::{Trust, rules, store, view};
use crate::access::{Policy, Target};
use crate::assignments::{self, Place};
use crate::call::{Call, Own, one};
use crate::errors::{conflict, forbidden_action, not_found, unique};
use crate::listing::collection;
use crate::roles::rules::RoleBook;
use crate::schema::{Fields, expiry, wrong_type};
use crate::{Keystone, change, projects, roles, users};

pub async fn list(Call { keystone, ctx, origin, params }: Call, Own(session): Own) -> Result {
    let (trustor, trustee) = (params.get("trustor_user_id"), params.get("trustee_user_id"));
    let target = Target { user: trustor, trustee, ..Target::default() };
    match (trustor, trustee) {
        (Some(_), _) => rules::LIST_OF_TRUSTOR.enforce(&ctx, &target)?,
        (None, Some(_)) => rules::LIST_OF_TRUSTEE.enforce(&ctx, &target)?,
        (None, None) => rules::LIST.enforce(&ctx, &target)?,
    }
    rules::check_own_login(&session)?;
    let mut conn = keystone.db.read().await?;
    let found = match (trustor, trustee) {
        (Some(user), _) => store::of_trustor(&mut conn, user).await?,
        (None, Some(user)) => store::of_trustee(&mut conn, user).await?,
        (None, None) => store::all(&mut conn).await?,
    };
    let views = found.iter().map(|t| view::trust(t, &origin)).collect();
    Ok(collection(&origin, &params, "trusts", views, &["trustor_user_id", "trustee_user_id"])?)
}

async fn find(keystone: &Keystone, ctx: &Ctx, policy: &Policy, id: &str) -> Result<Trust, Error> {
    let chain = store::pedigree(&mut *keystone.db.read().await?, id).await?;
    let found = chain.into_iter().next().filter(|t| t.holds(base::time::now()));
    policy.find_first(ctx, found, rules::target, || not_found("trust", id))
}

pub async fn get(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path(id): Path<String>,
) -> Result {
    let trust = find(&keystone, &ctx, &rules::GET, &id).await?;
    rules::check_own_login(&session)?;
    let snapshot = keystone.snapshot().await?;
    Ok(one(200, "trust", view::with_roles(&trust, &snapshot.roles, &origin)))
}

struct Wanted {
    trust: Trust,
    redelegation: Redelegation,
}

fn parse(body: Value, book: &RoleBook) -> Result<Wanted, Error> {
    let mut fields = Fields::of(body, "trust")?;
    let mut required = |key: &str| fields.text(key)?.ok_or_else(|| Fields::required(key));
    let (trustor, trustee) = (required("trustor_user_id")?, required("trustee_user_id")?);
    let trust = Trust {
        id: base::id::hex(),
        trustor_user_id: trustor,
        trustee_user_id: trustee,
        project_id: fields.nullable_text("project_id")?.flatten().filter(|id| !id.is_empty()),
        impersonation: fields.flag("impersonation")?.ok_or_else(|| Fields::required("impersonation"))?,
        role_ids: pick_roles(&fields.list("roles")?.unwrap_or_default(), book)?,
        expires_at: fields.nullable_text("expires_at")?.flatten().map(|text| expiry(&text)).transpose()?,
        remaining_uses: fields.nullable_integer("remaining_uses", 1, i64::MAX)?.flatten(),
        redelegated_trust_id: None,
        redelegation_count: 0,
        extra: Default::default(),
    };
    let allow = match fields.take("allow_redelegation") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(allow)) => allow,
        Some(other) => return Err(wrong_type("allow_redelegation", &other, "'boolean', 'null'")),
    };
    let count = fields.nullable_integer("redelegation_count", 0, i64::MAX)?.flatten();
    // The chain is known from the token.
    fields.take("redelegated_trust_id");
    Ok(Wanted {
        trust: Trust { extra: fields.extra(), ..trust },
        redelegation: Redelegation { allow, count },
    })
}

/// Each role by its id, or by its name when only one role has it.
fn pick_roles(asked: &[Value], book: &RoleBook) -> Result<Vec<String>, Error> {
    let mut ids: Vec<String> = Vec::new();
    for role in asked {
        let map = role.as_object().ok_or_else(|| wrong_type("roles", role, "'object'"))?;
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let id = match (map.len(), text("id"), text("name")) {
            (1, Some(id), _) => id,
            (1, None, Some(name)) => {
                let mut named = book.all().filter(|r| r.name == name && r.domain_id.is_empty());
                &named.next().ok_or_else(|| not_found("role", name))?.id
            }
            _ => return Err(Error::bad_request("Each role needs an id or a name, and nothing else.")),
        };
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

pub async fn create(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Json(body): Json<Value>,
) -> Result {
    let snapshot = keystone.snapshot().await?;
    let Wanted { trust, redelegation } = parse(body, &snapshot.roles)?;
    rules::CREATE.enforce(&ctx, &rules::target(&trust))?;
    rules::check_own_login(&session)?;
    if trust.project_id.is_some() && trust.role_ids.is_empty() {
        return Err(forbidden_action("At least one role should be specified").into());
    }
    let trust = change!(keystone, &ctx, "trust.create", &trust.id, |tx| {
        let mut trust = trust.clone();
        let trustee = &trust.trustee_user_id;
        users::store::get(tx, trustee).await?.ok_or_else(|| not_found("user", trustee))?;
        let chain = match &session.claims.trust_id {
            Some(parent) => {
                let chain = store::pedigree(tx, parent).await?;
                if chain.is_empty() {
                    return Err(not_found("trust", parent));
                }
                chain
            }
            None => Vec::new(),
        };
        check_held(tx, &trust, &chain, &snapshot.roles).await?;
        if chain.is_empty() {
            trust.redelegation_count = rules::first_count(redelegation, trust.remaining_uses)?;
        } else {
            rules::redelegate(&mut trust, redelegation, &chain)?;
        }
        store::insert(tx, &trust)
            .await
            .map_err(|e| unique(e, || conflict("trust", "Duplicate entry found")))?;
        Ok(trust)
    })?;
    Ok(one(201, "trust", view::with_roles(&trust, &snapshot.roles, &origin)))
}

/// Nobody gives a role that they, or the first of the chain, do not have in that project.
async fn check_held(
    conn: &mut db::AnyConnection,
    trust: &Trust,
    chain: &[Trust],
    book: &RoleBook,
) -> Result<(), Error> {
    let mut held = Vec::new();
    if let Some(project) = &trust.project_id {
        projects::store::require(conn, project).await?;
        let origin = chain.last().map_or(&trust.trustor_user_id, |first| &first.trustor_user_id);
        held = assignments::store::role_ids(conn, origin, &Place::Project(project.clone())).await?;
    }
    let held = book.closure(held.iter().map(String::as_str));
    match trust.role_ids.iter().find(|id| !held.iter().any(|(role, _)| role.id == **id)) {
        Some(missing) => Err(not_found("role", missing)),
        None => Ok(()),
    }
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Own(session): Own, Path(id): Path<String>) -> Result {
    find(&keystone, &ctx, &rules::DELETE, &id).await?;
    rules::check_own_login(&session)?;
    change!(keystone, &ctx, "trust.delete", &id, |tx| Ok(store::delete(tx, &id).await?))?;
    Ok(web::no_content(204))
}

pub async fn list_roles(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path(id): Path<String>,
) -> Result {
    let trust = find(&keystone, &ctx, &rules::LIST_ROLES, &id).await?;
    rules::check_own_login(&session)?;
    let snapshot = keystone.snapshot().await?;
    let roles: Vec<Value> =
        view::delegated(&trust, &snapshot.roles).map(|r| roles::view::role(r, &origin)).collect();
    Ok(web::json(200, &json!({"roles": roles, "links": view::roles_links(&trust, &origin)})))
}

pub async fn get_role(
    Call { keystone, ctx, origin, .. }: Call,
    Own(session): Own,
    Path((id, role_id)): Path<(String, String)>,
) -> Result {
    let trust = find(&keystone, &ctx, &rules::GET_ROLE, &id).await?;
    rules::check_own_login(&session)?;
    let snapshot = keystone.snapshot().await?;
    let role = view::delegated(&trust, &snapshot.roles).find(|r| r.id == role_id);
    let role = role.ok_or_else(|| not_found("role", &role_id))?;
    Ok(one(200, "role", roles::view::role(role, &origin)))
}
