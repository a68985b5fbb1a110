//! `/v2/images/{id}/members`.

use std::sync::Arc;

use base::time::seconds_z;
use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Result, Routes, State};

use super::{Member, store};
use crate::Glance;
use crate::images::{Image, Visibility, load_visible, policy, rules};

type Glances = State<Arc<Glance>>;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/images/{id}/members", &policy::MEMBERS_GET, list)
        .post("/v2/images/{id}/members", &policy::MEMBERS_ADD, create)
        .get("/v2/images/{id}/members/{member}", &policy::MEMBERS_GET, get)
        .put("/v2/images/{id}/members/{member}", &policy::MEMBERS_MODIFY, update)
        .delete("/v2/images/{id}/members/{member}", &policy::MEMBERS_DELETE, delete)
}

fn view(m: &Member) -> Value {
    json!({
        "member_id": m.member_id, "image_id": m.image_id, "status": m.status,
        "created_at": seconds_z(m.created_at), "updated_at": seconds_z(m.updated_at), "schema": "/v2/schemas/member",
    })
}

/// All members for the owner, one's own membership for a member.
async fn visible(glance: &Glance, ctx: &Ctx, id: &str) -> base::Result<(Image, Vec<Member>)> {
    let image = load_visible(glance, ctx, id).await?;
    if image.visibility != Visibility::Shared {
        return Err(Error::forbidden("Only shared images have members."));
    }
    let mut members = store::list(&mut glance.db.read().await?, id).await?;
    if !image.owner.as_deref().is_some_and(|o| ctx.owns(o)) {
        let own = ctx.require_project()?;
        members.retain(|m| m.member_id == own);
    }
    Ok((image, members))
}

fn pick(members: Vec<Member>, id: &str, member: &str) -> base::Result<Member> {
    members
        .into_iter()
        .find(|m| m.member_id == member)
        .ok_or_else(|| Error::not_found(format!("{member} not found in the member list of the image {id}.")))
}

async fn list(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let (_, members) = visible(&glance, &ctx, &id).await?;
    Ok(web::json(
        200,
        &json!({"members": members.iter().map(view).collect::<Vec<_>>(), "schema": "/v2/schemas/members"}),
    ))
}

async fn get(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((id, member)): Path<(String, String)>,
) -> Result {
    let (_, members) = visible(&glance, &ctx, &id).await?;
    Ok(web::json(200, &view(&pick(members, &id, &member)?)))
}

async fn create(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let (image, _) = visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::MEMBERS_ADD)?;
    let member = body
        .get("member")
        .and_then(Value::as_str)
        .filter(|m| !m.is_empty() && m.len() <= 255)
        .ok_or_else(|| Error::bad_request("Member to be added not specified"))?;
    let now = base::time::now();
    let member = Member {
        image_id: id,
        member_id: member.into(),
        status: "pending".into(),
        created_at: now,
        updated_at: now,
    };
    store::create(&glance.db, &ctx, &member).await?;
    Ok(web::json(200, &view(&member)))
}

async fn update(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((id, member)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result {
    let (_, members) = visible(&glance, &ctx, &id).await?;
    let mut member = pick(members, &id, &member)?;
    // Only the member itself accepts or rejects; the owner may not decide for it.
    if !ctx.owns(&member.member_id) {
        return Err(Error::forbidden("You are not permitted to modify 'status' on this image member.").into());
    }
    let status = body.get("status").and_then(Value::as_str).unwrap_or_default();
    if !["pending", "accepted", "rejected"].contains(&status) {
        return Err(Error::bad_request(format!("Invalid status: {status}")).into());
    }
    member.status = status.into();
    member.updated_at = base::time::now();
    store::set_status(&glance.db, &ctx, &member).await?;
    Ok(web::json(200, &view(&member)))
}

async fn delete(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((id, member)): Path<(String, String)>,
) -> Result {
    let (image, _) = visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::MEMBERS_DELETE)?;
    if store::delete(&glance.db, &ctx, &id, &member).await? {
        Ok(web::no_content(204))
    } else {
        Err(Error::not_found(format!("{member} not found in the member list of the image {id}.")).into())
    }
}
