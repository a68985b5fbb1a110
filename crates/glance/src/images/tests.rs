//! Rules and patches on values.

use serde_json::{Value, json};

use super::patch::{self, Form};
use super::{Image, Status, Visibility, rules};
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

fn image(body: &Value) -> base::Result<Image> {
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
        (json!({"self": "x"}), Kind::Forbidden),
        (json!({"locations": []}), Kind::Forbidden),
        (json!({"deleted": "x"}), Kind::Forbidden),
        (json!({"os_glance_x": "x"}), Kind::Forbidden),
        (json!({"visibility": "public"}), Kind::Forbidden),
        (json!({"owner": "p2"}), Kind::Forbidden),
        (json!({"id": "x"}), Kind::BadRequest),
        (json!({"disk_format": "exe"}), Kind::BadRequest),
        (json!({"disk_format": "ami", "container_format": "bare"}), Kind::BadRequest),
        (json!({"min_disk": -1}), Kind::BadRequest),
        (json!({"protected": "yes"}), Kind::BadRequest),
        (json!({"any": 5}), Kind::BadRequest),
        (json!({("x".repeat(256)): "long"}), Kind::BadRequest),
        (json!([]), Kind::BadRequest),
    ] {
        assert_eq!(image(&body).unwrap_err().kind, kind, "{body}");
    }
    let tags: Vec<String> = (0..129).map(|n| n.to_string()).collect();
    assert_eq!(image(&json!({"tags": tags})).unwrap_err().kind, Kind::TooLarge);
}

fn apply(form: Form, before: &Image, operations: &Value) -> base::Result<Image> {
    patch::apply(&member(), before, &patch::parse(form, operations)?)
}

#[test]
fn a_patch_is_applied_whole_or_not() {
    let before = image(&json!({"name": "a", "x": "1"})).unwrap();
    let after = apply(
        Form::V21,
        &before,
        &json!([
            {"op": "replace", "path": "/name", "value": "b"},
            {"op": "add", "path": "/y~1z", "value": "2"},
            {"op": "remove", "path": "/x"},
            {"op": "replace", "path": "/min_ram", "value": 64},
            {"op": "add", "path": "/tags", "value": ["t"]},
        ]),
    )
    .unwrap();
    assert_eq!((after.name.as_deref(), after.min_ram, &*after.tags), (Some("b"), 64, &["t".to_owned()][..]));
    assert_eq!(after.properties.into_iter().collect::<Vec<_>>(), [("y/z".to_owned(), "2".to_owned())]);
    for (operations, kind) in [
        (json!([{"op": "remove", "path": "/nothing"}]), Kind::Conflict),
        (json!([{"op": "replace", "path": "/nothing", "value": "1"}]), Kind::Conflict),
        (json!([{"op": "remove", "path": "/name"}]), Kind::Forbidden),
        (json!([{"op": "replace", "path": "/status", "value": "active"}]), Kind::Forbidden),
        (json!([{"op": "add", "path": "/os_glance_x", "value": "x"}]), Kind::Forbidden),
        (json!([{"op": "replace", "path": "/owner", "value": "p2"}]), Kind::Forbidden),
        (json!([{"op": "replace", "path": "/locations", "value": []}]), Kind::Forbidden),
        (
            json!([{"op": "add", "path": "/locations/-", "value": {"url": "http://x", "metadata": {}}}]),
            Kind::Forbidden,
        ),
        (json!([{"op": "add", "path": "name", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/name/", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/a//b", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/a/b", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/a~2", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "move", "path": "/name", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/name"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/name", "value": 5}]), Kind::BadRequest),
        (json!([{"path": "/name", "value": "b"}]), Kind::BadRequest),
        (json!([{"op": "add", "value": "b"}]), Kind::BadRequest),
        (json!(["x"]), Kind::BadRequest),
        (json!({}), Kind::BadRequest),
    ] {
        assert_eq!(apply(Form::V21, &before, &operations).unwrap_err().kind, kind, "{operations}");
    }
}

#[test]
fn the_older_form_of_patches() {
    let before = image(&json!({"name": "a", "x": "1"})).unwrap();
    let after =
        apply(Form::V20, &before, &json!([{"replace": "/name", "value": "b"}, {"remove": "/x"}])).unwrap();
    assert_eq!((after.name.as_deref(), after.properties.len()), (Some("b"), 0));
    for (operations, kind) in [
        (json!([{"add": "/x", "value": "2"}]), Kind::Conflict),
        (json!([{"add": "/y", "remove": "/y", "value": "2"}]), Kind::BadRequest),
        (json!([{"op": "add", "path": "/y", "value": "2"}]), Kind::BadRequest),
    ] {
        assert_eq!(apply(Form::V20, &before, &operations).unwrap_err().kind, kind, "{operations}");
    }
    assert!(Form::of("application/json").is_err());
}

#[test]
fn fixed_attributes_stay_once_there_is_data() {
    let mut active = image(&json!({"disk_format": "raw", "container_format": "bare"})).unwrap();
    active.status = Status::Active;
    let operations = json!([{"op": "replace", "path": "/disk_format", "value": "qcow2"}]);
    assert_eq!(apply(Form::V21, &active, &operations).unwrap_err().kind, Kind::Forbidden);
    assert_eq!(rules::may_take_data(&active, Status::Saving).unwrap_err().kind, Kind::Conflict);
    let bare = rules::blank(None);
    assert_eq!(rules::may_take_data(&bare, Status::Saving).unwrap_err().kind, Kind::BadRequest);
    rules::may_take_data(&bare, Status::Uploading).unwrap();
}
