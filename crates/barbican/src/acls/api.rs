//! `/v1/secrets/{id}/acl`, `/v1/containers/{id}/acl`

use std::sync::{Arc, LazyLock};

use base::{Ctx, Error, Policy};
use db::Event;
use serde_json::{Value, json};
use web::schema::Schema;
use web::{Caller, Origin, Path, Result, Routes, State, no_content};

use super::{Acl, store};
use crate::access::{Need, Owned, check, policy};
use crate::body::{self, Body};
use crate::{Barbican, containers, refs, secrets};

const SECRET_GET: Policy = policy("secret_acls:get");
const SECRET_PUT: Policy = policy("secret_acls:put_patch");
const SECRET_DELETE: Policy = policy("secret_acls:delete");
const CONTAINER_GET: Policy = policy("container_acls:get");
const CONTAINER_PUT: Policy = policy("container_acls:put_patch");
const CONTAINER_DELETE: Policy = policy("container_acls:delete");

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/secrets/{id}/acl", &SECRET_GET, secret_show)
        .put("/v1/secrets/{id}/acl", &SECRET_PUT, secret_put)
        .patch("/v1/secrets/{id}/acl", &SECRET_PUT, secret_patch)
        .delete("/v1/secrets/{id}/acl", &SECRET_DELETE, secret_delete)
        .get("/v1/containers/{id}/acl", &CONTAINER_GET, container_show)
        .put("/v1/containers/{id}/acl", &CONTAINER_PUT, container_put)
        .patch("/v1/containers/{id}/acl", &CONTAINER_PUT, container_patch)
        .delete("/v1/containers/{id}/acl", &CONTAINER_DELETE, container_delete)
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let list = json!({
        "type": "object",
        "properties": {
            "users": {"type": "array", "items": {"type": "string", "maxLength": 255}},
            "project-access": {"type": "boolean"},
        },
        "additionalProperties": false,
    });
    Schema::new(&json!({
        "type": "object", "properties": {"read": list}, "additionalProperties": false,
    }))
});

/// What a list belongs to.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Secret,
    Container,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Secret => "SecretACL(s)",
            Kind::Container => "ContainerACL(s)",
        }
    }

    async fn owned(self, app: &Barbican, id: &str) -> Result<Owned, Error> {
        let mut conn = app.db.read().await?;
        match self {
            Kind::Secret => Ok(secrets::store::get(&mut conn, id).await?.owned),
            Kind::Container => Ok(containers::store::get(&mut conn, id).await?.owned),
        }
    }

    fn href(self, origin: &Origin, id: &str) -> String {
        match self {
            Kind::Secret => refs::secret(origin, id),
            Kind::Container => refs::container(origin, id),
        }
    }
}

/// Reading a private thing's list is for those who may change it: the list says nothing of itself.
async fn allowed(app: &Barbican, ctx: &Ctx, kind: Kind, id: &str, verb: &str) -> Result<Owned, Error> {
    let owned = kind.owned(app, id).await?;
    check(ctx, &owned, Need::Change, &format!("{} {verb}", kind.name()))?;
    Ok(owned)
}

async fn show(app: &Barbican, ctx: &Ctx, kind: Kind, id: &str) -> Result {
    let owned = allowed(app, ctx, kind, id, "retrieval").await?;
    let read = match owned.acl {
        None => json!({"project-access": true}),
        Some(acl) => json!({
            "project-access": acl.project_access, "users": acl.users,
            "created": base::time::micros_naive(acl.created_at),
            "updated": base::time::micros_naive(acl.updated_at),
        }),
    };
    Ok(web::json(200, &json!({"read": read})))
}

/// `whole`: what is not said is as by default, not as it was.
async fn set(
    app: &Barbican,
    ctx: &Ctx,
    kind: Kind,
    id: &str,
    origin: &Origin,
    body: Body,
    whole: bool,
) -> Result {
    let owned = allowed(app, ctx, kind, id, "Update").await?;
    let wanted = body.object()?;
    body::check(&SCHEMA, "ACL", &wanted)?;
    let now = base::time::now();
    let said = wanted["read"].as_object().filter(|read| !read.is_empty());
    let before = owned.acl.as_ref();
    let kept = before.filter(|_| !whole);
    let users = said.and_then(|read| read.get("users")).and_then(Value::as_array);
    let acl = Acl {
        project_access: said
            .and_then(|read| read.get("project-access")?.as_bool())
            .unwrap_or_else(|| kept.is_none_or(|acl| acl.project_access)),
        users: match users {
            Some(users) => users.iter().filter_map(Value::as_str).map(Into::into).collect(),
            None => kept.map(|acl| acl.users.clone()).unwrap_or_default(),
        },
        created_at: before.map_or(now, |acl| acl.created_at),
        updated_at: now,
    };
    let project = &owned.project_id;
    let written: Result<(), Error> = db::write!(app.db, |tx| match (said, whole) {
        (Some(_), _) => store::put(tx, ctx, id, project, &acl).await,
        (None, true) => store::remove(tx, id).await.map(drop),
        (None, false) => Ok(()),
    });
    written?;
    Ok(web::json(200, &json!({"acl_ref": format!("{}/acl", kind.href(origin, id))})))
}

async fn delete(app: &Barbican, ctx: &Ctx, kind: Kind, id: &str) -> Result {
    let owned = allowed(app, ctx, kind, id, "deletion").await?;
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        if store::remove(tx, id).await? {
            tx.event(Event::new("key-manager", "acl.delete", id, &owned.project_id, ctx)).await?;
        }
        Ok(())
    });
    written?;
    Ok(no_content(200))
}

macro_rules! handlers {
    ($kind:expr, $show:ident, $put:ident, $patch:ident, $delete:ident) => {
        async fn $show(
            State(app): State<Arc<Barbican>>,
            Caller(ctx): Caller,
            Path(id): Path<String>,
        ) -> Result {
            show(&app, &ctx, $kind, &id).await
        }

        async fn $put(
            State(app): State<Arc<Barbican>>,
            Caller(ctx): Caller,
            Path(id): Path<String>,
            origin: Origin,
            body: Body,
        ) -> Result {
            set(&app, &ctx, $kind, &id, &origin, body, true).await
        }

        async fn $patch(
            State(app): State<Arc<Barbican>>,
            Caller(ctx): Caller,
            Path(id): Path<String>,
            origin: Origin,
            body: Body,
        ) -> Result {
            set(&app, &ctx, $kind, &id, &origin, body, false).await
        }

        async fn $delete(
            State(app): State<Arc<Barbican>>,
            Caller(ctx): Caller,
            Path(id): Path<String>,
        ) -> Result {
            delete(&app, &ctx, $kind, &id).await
        }
    };
}

handlers!(Kind::Secret, secret_show, secret_put, secret_patch, secret_delete);
handlers!(Kind::Container, container_show, container_put, container_patch, container_delete);
