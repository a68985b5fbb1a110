//! JSON schemas of images, members and tasks.

use serde_json::{Value, json};

use crate::images::schema::DOCUMENT;

pub fn of_images(name: &str) -> Option<Value> {
    let published = |mut document: Value| {
        // Clients read properties and links; the type is for checking here.
        if let Some(object) = document.as_object_mut() {
            object.remove("type");
        }
        document
    };
    Some(match name {
        "image" => published(DOCUMENT.clone()),
        "images" => collection("images", &published(DOCUMENT.clone())),
        "member" => member(),
        "members" => {
            json!({
                "name": "members",
                "properties": {"members": {"type": "array", "items": member()}, "schema": {"type": "string"}},
                "links": [{"rel": "describedby", "href": "{schema}"}],
            })
        }
        "task" => task(true),
        "tasks" => collection("tasks", &task(false)),
        _ => return None,
    })
}

/// A page of items.
pub fn collection(name: &str, item: &Value) -> Value {
    json!({
        "name": name,
        "properties": {
            (name): {"type": "array", "items": item},
            "first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    })
}

fn member() -> Value {
    json!({
        "name": "member",
        "properties": {
            "member_id": {"type": "string", "description": "Project that the image is shared with"},
            "image_id": {"type": "string", "description": "The image"},
            "status": {"type": "string", "enum": ["pending", "accepted", "rejected"], "description": "What the member decided"},
            "created_at": {"type": "string", "description": "When it was shared"},
            "updated_at": {"type": "string", "description": "When the membership last changed"},
            "schema": {"type": "string", "readOnly": true},
        },
    })
}

fn task(whole: bool) -> Value {
    let text = |about: &str| json!({"type": "string", "description": about});
    let mut properties = json!({
        "id": text("Id of the task"),
        "type": {"type": "string", "enum": ["import", "api_image_import", "location_import"], "description": "What kind of task"},
        "status": {"type": "string", "enum": ["pending", "processing", "success", "failure"], "description": "How far it is"},
        "owner": text("Project that asked for it"),
        "image_id": text("Image that it works on"),
        "request_id": text("Request that asked for it"),
        "user_id": text("User who asked for it"),
        "expires_at": {"type": ["null", "string"], "description": "When it will be forgotten"},
        "created_at": text("When it was asked for"),
        "updated_at": text("When it last changed"),
        "self": {"type": "string", "readOnly": true},
        "schema": {"type": "string", "readOnly": true},
    });
    if whole {
        properties["input"] = json!({"type": ["null", "object"], "description": "What was asked"});
        properties["result"] = json!({"type": ["null", "object"], "description": "What came of it"});
        properties["message"] = text("What went wrong");
    }
    json!({"name": "task", "properties": properties, "additionalProperties": false})
}
