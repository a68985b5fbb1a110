//! JSON schemas of metadata definitions, published and checked against.

use std::sync::LazyLock;

use base::{Error, Result};
use serde_json::{Value, json};
use web::schema::Schema;

use crate::discovery::schemas::collection;

fn stamps(mut properties: Value) -> Value {
    for key in ["created_at", "updated_at"] {
        properties[key] = json!({"type": "string", "readOnly": true, "format": "date-time", "description": "Set by the service"});
    }
    properties
}

/// What a property may say of its values.
fn of_property() -> Value {
    let kinds = json!(["array", "boolean", "integer", "number", "object", "string", null]);
    json!({
        "name": {"type": "string", "maxLength": 80},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "operators": {"type": "array", "items": {"type": "string"}},
        "type": {"type": "string", "enum": kinds},
        "required": {"$ref": "#/definitions/stringArray"},
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "maxLength": {"$ref": "#/definitions/positiveInteger"},
        "minLength": {"$ref": "#/definitions/positiveInteger"},
        "pattern": {"type": "string", "format": "regex"},
        "enum": {"type": "array"},
        "readonly": {"type": "boolean"},
        "default": {},
        "items": {"type": "object", "properties": {"type": {"type": "string", "enum": kinds}, "enum": {"type": "array"}}},
        "maxItems": {"$ref": "#/definitions/positiveInteger"},
        "minItems": {"$ref": "#/definitions/positiveInteger"},
        "uniqueItems": {"type": "boolean", "default": false},
        "additionalItems": {"type": "boolean"},
    })
}

fn definitions() -> Value {
    json!({
        "positiveInteger": {"type": "integer", "minimum": 0},
        "stringArray": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
        "property": {"type": "object", "additionalProperties": {
            "type": "object", "required": ["title", "type"], "properties": of_property(),
        }},
    })
}

fn document(name: &str, properties: &Value, required: &[&str], definitions: Option<Value>) -> Value {
    let mut out = json!({
        "name": name, "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    if let Some(definitions) = definitions {
        out["definitions"] = definitions;
    }
    out
}

fn namespace() -> Value {
    let text = |most: u32, about: &str| json!({"type": "string", "maxLength": most, "description": about});
    let objects = json!({"type": "array", "items": {"type": "object", "properties": {
        "name": {"type": "string"}, "description": {"type": "string"},
        "required": {"$ref": "#/definitions/stringArray"}, "properties": {"$ref": "#/definitions/property"},
    }}});
    let properties = stamps(json!({
        "namespace": text(80, "Its name, which no other has"),
        "display_name": text(80, "Its name for people"),
        "description": text(500, "What it is about"),
        "visibility": {"type": "string", "enum": ["public", "private"], "description": "Who sees it"},
        "protected": {"type": "boolean", "description": "It cannot be deleted"},
        "owner": text(255, "Project that owns it"),
        "schema": {"type": "string", "readOnly": true},
        "self": {"type": "string", "readOnly": true},
        "resource_type_associations": {"type": "array", "items": {"type": "object", "properties": {
            "name": {"type": "string"}, "prefix": {"type": "string"}, "properties_target": {"type": "string"},
        }}},
        "properties": {"$ref": "#/definitions/property"},
        "objects": objects,
        "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    }));
    document("namespace", &properties, &["namespace"], Some(definitions()))
}

fn object() -> Value {
    let properties = stamps(json!({
        "name": {"type": "string", "maxLength": 80},
        "description": {"type": "string"},
        "required": {"$ref": "#/definitions/stringArray"},
        "properties": {"$ref": "#/definitions/property"},
        "schema": {"type": "string", "readOnly": true},
        "self": {"type": "string", "readOnly": true},
    }));
    document("object", &properties, &["name"], Some(definitions()))
}

fn property(required: &[&str]) -> Value {
    document("property", &of_property(), required, Some(definitions()))
}

fn tag() -> Value {
    document("tag", &stamps(json!({"name": {"type": "string", "maxLength": 80}})), &["name"], None)
}

fn resource_type() -> Value {
    let text = |about: &str| json!({"type": "string", "maxLength": 80, "description": about});
    let properties = stamps(json!({
        "name": text("The resource type, by Heat's name for it where it has one"),
        "prefix": text("What properties' names begin with on this resource type"),
        "properties_target": text("Which of the resource's several maps takes them"),
    }));
    document("resource_type_association", &properties, &["name"], None)
}

pub fn published(name: &str) -> Option<Value> {
    let keyed = |item: &Value| {
        json!({
            "name": "properties",
            "properties": {
                "properties": {"type": "object", "additionalProperties": item},
                "first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"},
            },
            "links": [
                {"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"},
                {"rel": "describedby", "href": "{schema}"},
            ],
        })
    };
    // Definitions stand at the top of a document.
    let many = |name: &str, mut item: Value| {
        let definitions = item.as_object_mut().and_then(|o| o.remove("definitions"));
        let mut out = if name == "properties" { keyed(&item) } else { collection(name, &item) };
        if let Some(definitions) = definitions {
            out["definitions"] = definitions;
        }
        out
    };
    let mut out = match name {
        "namespace" => namespace(),
        "namespaces" => many("namespaces", namespace()),
        "object" => object(),
        "objects" => many("objects", object()),
        "property" => property(&["type", "title", "name"]),
        "properties" => many("properties", property(&["type", "title"])),
        "tag" => tag(),
        "tags" => many("tags", tag()),
        "resource_type" => resource_type(),
        "resource_types" => many("resource_type_associations", resource_type()),
        _ => return None,
    };
    if let Some(object) = out.as_object_mut() {
        object.remove("type");
    }
    Some(out)
}

static NAMESPACE: LazyLock<Schema> = LazyLock::new(|| Schema::new(&namespace()));
static OBJECT: LazyLock<Schema> = LazyLock::new(|| Schema::new(&object()));
static PROPERTY: LazyLock<Schema> = LazyLock::new(|| Schema::new(&property(&["type", "title", "name"])));
static TAG: LazyLock<Schema> = LazyLock::new(|| Schema::new(&tag()));
static TYPE: LazyLock<Schema> = LazyLock::new(|| Schema::new(&resource_type()));
static TAGS: LazyLock<Schema> = LazyLock::new(|| {
    let one = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": false});
    Schema::new(&json!({
        "type": "object", "properties": {"tags": {"type": "array", "items": one}}, "additionalProperties": false,
    }))
});

/// A body that is no `what`, or names what only the service sets.
pub fn check(what: &str, body: &Value) -> Result<()> {
    let fixed: &[&str] = match what {
        "namespace" | "object" => &["self", "schema", "created_at", "updated_at"],
        _ => &["created_at", "updated_at"],
    };
    if let Some(key) = fixed.iter().find(|key| body.get(**key).is_some()) {
        return Err(Error::forbidden(format!("Attribute '{key}' is read-only.")));
    }
    let schema = match what {
        "namespace" => &NAMESPACE,
        "object" => &OBJECT,
        "property" => &PROPERTY,
        "tag" => &TAG,
        "tags" => &TAGS,
        _ => &TYPE,
    };
    match schema.complaint(body) {
        None => Ok(()),
        Some(why) => {
            Err(Error::bad_request(format!("Provided object does not match schema '{what}': {why}")))
        }
    }
}
