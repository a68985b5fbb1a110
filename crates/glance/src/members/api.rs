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

/// Members of one image (Glance's image_member_quota).
const QUOTA: usize = 128;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/images/{id}/members", &policy::MEMBERS_GET, list)
        .post("/v2/images/{id}/members", &policy::seen::MEMBERS_ADD, create)
        .get("/v2/images/{id}/members/{member}", &policy::MEMBERS_GET, get)
        .put("/v2/images/{id}/members/{member}", &policy::seen::MEMBERS_MODIFY, update)
        .delete("/v2/images/{id}/members/{member}", &policy::seen::MEMBERS_DELETE, delete)
}

fn view(m: &Member) -> Value {
    json!({
        "member_id": m.member_id, "image_id": m.image_id, "status": m.status,
        "created_at": seconds_z(m.created_at), "updated_at": seconds_z(m.updated_at), "schema": "/v2/schemas/member",
    })
}

/// The image with all members for the owner, with one's own membership for a member.
async fn visible(glance: &Glance, ctx: &Ctx, id: &str) -> base::Result<(Image, Vec<Member>)> {
    let image = load_visible(glance, ctx, id)
        .await
        .map_err(|e| if e.is_not_found() { Error::not_found(format!("Image {id} not found.")) } else { e })?;
    let mut members = store::list(&mut glance.db.read().await?, id).await?;
    if !ctx.is_admin() && !image.owner.as_deref().is_some_and(|o| ctx.owns(o)) {
        let own = ctx.require_project()?;
        members.retain(|m| m.member_id == own);
    }
    Ok((image, members))
}

fn only_shared(image: &Image, words: &str) -> base::Result<()> {
    if image.visibility == Visibility::Shared { Ok(()) } else { Err(Error::forbidden(words)) }
}

fn pick(members: Vec<Member>, id: &str, member: &str) -> base::Result<Member> {
    members
        .into_iter()
        .find(|m| m.member_id == member)
        .ok_or_else(|| Error::not_found(format!("{member} not found in the member list of the image {id}.")))
}

async fn list(State(glance): Glances, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let (image, members) = visible(&glance, &ctx, &id).await?;
    let words = format!("Not allowed to list members for image {id}: Only shared images have members.");
    only_shared(&image, &words)?;
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
    let (image, members) = visible(&glance, &ctx, &id).await?;
    // Here what is forbidden is hidden.
    if image.visibility != Visibility::Shared {
        return Err(Error::not_found("Only shared images have members.").into());
    }
    Ok(web::json(200, &view(&pick(members, &id, &member)?)))
}

async fn create(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let member = match body.get("member") {
        _ if !body.is_object() => {
            return Err(
                Error::bad_request("Expected a member in the form: {\"member\": \"image_id\"}").into()
            );
        }
        None => return Err(Error::bad_request("Member to be added not specified").into()),
        Some(Value::String(m)) if !m.is_empty() && m.len() <= 255 => m.clone(),
        Some(_) => return Err(Error::bad_request("Member can't be empty").into()),
    };
    let (image, members) = visible(&glance, &ctx, &id).await?;
    let words = format!("Not allowed to create members for image {id}.");
    only_shared(&image, &words)?;
    rules::may_change(&ctx, &image, &policy::MEMBERS_ADD).map_err(|_| Error::forbidden(&*words))?;
    if members.len() >= QUOTA {
        return Err(Error::too_large(format!(
            "Image member limit exceeded for image {id}: The limit has been exceeded on the number of allowed image \
             members for this image. Attempted: {}, Maximum: {QUOTA}:",
            members.len() + 1
        ))
        .into());
    }
    let member = Member::invited(&id, &member);
    store::create(&glance.db, &ctx, &member).await?;
    Ok(web::json(200, &view(&member)))
}

async fn update(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((id, member)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result {
    let status = match body.get("status") {
        _ if !body.is_object() => {
            return Err(Error::bad_request("Expected a status in the form: {\"status\": \"status\"}").into());
        }
        None => return Err(Error::bad_request("Status not specified").into()),
        Some(status) => status.as_str().unwrap_or_default().to_owned(),
    };
    let (image, members) = visible(&glance, &ctx, &id).await?;
    let words = format!("Not allowed to update members for image {id}.");
    only_shared(&image, &words)?;
    let mut member = pick(members, &id, &member)?;
    // Only the member itself accepts or rejects; the owner may not decide for it.
    ctx.authorize(&policy::MEMBERS_MODIFY, Some(&member.member_id)).map_err(|_| Error::forbidden(words))?;
    if !["pending", "accepted", "rejected"].contains(&status.as_str()) {
        return Err(Error::bad_request(
            "Incorrect request: Status must be \"pending\", \"accepted\" or \"rejected\".",
        )
        .into());
    }
    member.status = status;
    member.updated_at = base::time::now();
    store::set_status(&glance.db, &ctx, &member).await?;
    Ok(web::json(200, &view(&member)))
}

async fn delete(
    State(glance): Glances,
    Caller(ctx): Caller,
    Path((id, member)): Path<(String, String)>,
) -> Result {
    let (image, members) = visible(&glance, &ctx, &id).await?;
    let words = format!("Not allowed to delete members for image {id}.");
    only_shared(&image, &words)?;
    let member = pick(members, &id, &member)?.member_id;
    rules::may_change(&ctx, &image, &policy::MEMBERS_DELETE).map_err(|_| Error::forbidden(words))?;
    if store::delete(&glance.db, &ctx, &id, &member).await? {
        Ok(web::no_content(204))
    } else {
        Err(Error::not_found(format!("{member} not found in the member list of the image {id}.")).into())
    }
}
