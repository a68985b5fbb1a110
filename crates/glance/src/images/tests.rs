//! Rules and patches on values.

use serde_json::json;

use super::{Image, Status, Visibility, patch, rules};
use base::{Ctx, Kind};

fn member() -> Ctx {
    let mut ctx = Ctx::internal("test");
    let mut auth = (*ctx.auth).clone();
    let domain = base::DomainRef { id: "default".into(), name: "Default".into() };
    auth.is_admin = false;
    auth.roles = vec!["member".into(), "reader".into()];
    auth.scope = base::Scope::Project(base::ProjectRef { id: "p1".into(), name: "p".into(), domain });
    ctx.auth = auth.into();
    ctx
}

fn image(body: &serde_json::Value) -> base::Result<Image> {
    rules::new_image(&member(), body)
}

#[test]
fn a_new_image_takes_properties_and_refuses_read_only_ones() {
    let made = image(
        &json!({"name": "a", "disk_format": "qcow2", "container_format": "bare", "os_distro": "debian"}),
    )
    .unwrap();
    assert_eq!(
        (made.status, made.visibility, made.owner.as_deref()),
        (Status::Queued, Visibility::Shared, Some("p1"))
    );
    assert_eq!(made.properties["os_distro"], "debian");
    for (body, kind) in [
        (json!({"status": "active"}), Kind::Forbidden),
        (json!({"visibility": "public"}), Kind::Forbidden),
        (json!({"owner": "p2"}), Kind::Forbidden),
        (json!({"disk_format": "exe"}), Kind::BadRequest),
        (json!({"disk_format": "ami", "container_format": "bare"}), Kind::BadRequest),
        (json!({"min_disk": -1}), Kind::BadRequest),
        (json!({"protected": "yes"}), Kind::BadRequest),
        (json!({"any": 5}), Kind::BadRequest),
        (json!([]), Kind::BadRequest),
    ] {
        assert_eq!(image(&body).unwrap_err().kind, kind, "{body}");
    }
}

#[test]
fn a_patch_is_applied_whole_or_not() {
    let before = image(&json!({"name": "a", "x": "1"})).unwrap();
    let patch = |ops: &serde_json::Value| patch::apply(&member(), &before, ops);
    let after = patch(&json!([
        {"op": "replace", "path": "/name", "value": "b"},
        {"op": "add", "path": "/y~1z", "value": "2"},
        {"op": "remove", "path": "/x"},
        {"replace": "/min_ram", "value": 64},
    ]))
    .unwrap();
    assert_eq!((after.name.as_deref(), after.min_ram), (Some("b"), 64));
    assert_eq!(after.properties.into_iter().collect::<Vec<_>>(), [("y/z".to_owned(), "2".to_owned())]);
    for (ops, kind) in [
        (json!([{"op": "remove", "path": "/nothing"}]), Kind::Conflict),
        (json!([{"op": "replace", "path": "/nothing", "value": "1"}]), Kind::Conflict),
        (json!([{"op": "remove", "path": "/name"}]), Kind::Forbidden),
        (json!([{"op": "replace", "path": "/status", "value": "active"}]), Kind::Forbidden),
        (json!([{"op": "add", "path": "name", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "move", "path": "/name", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/name"}]), Kind::BadRequest),
        (json!({}), Kind::BadRequest),
    ] {
        assert_eq!(patch(&ops).unwrap_err().kind, kind, "{ops}");
    }
}

#[test]
fn fixed_attributes_stay_once_there_is_data() {
    let mut active = image(&json!({"disk_format": "raw", "container_format": "bare"})).unwrap();
    active.status = Status::Active;
    let ops = json!([{"op": "replace", "path": "/disk_format", "value": "qcow2"}]);
    assert_eq!(patch::apply(&member(), &active, &ops).unwrap_err().kind, Kind::Forbidden);
    assert_eq!(rules::may_upload(&active).unwrap_err().kind, Kind::Conflict);
}
