use serde_json::json;

use super::python::repr;
use super::*;

const FIELDS: &[Field] = &[
    Field::new("name", Kind::Name).required(),
    Field::new("count", Kind::Integer(1, MAX_INT)),
    Field::new("description", Kind::TextOrNull(0, 255, PRINTABLE, "")).from(19),
    Field::new("personality", Kind::Any).until(56),
    Field::new("metadata", Kind::Metadata { null: false, numbers: false }),
    Field::new(
        "networks",
        Kind::OneOf(&[
            Kind::Enum(&["auto", "none"]),
            Kind::List(&Kind::Object(&[Field::new("uuid", Kind::Uuid)]), 0, 9),
        ]),
    )
    .required_from(37),
];

fn told(value: &Value, minor: u16) -> String {
    body(&json!({"server": value}), "server", FIELDS, minor).map_or_else(|e| e.message, |_| "fine".into())
}

#[test]
fn messages_are_novas() {
    let is = |value: Value, minor, text: &str| assert_eq!(told(&value, minor), text);
    is(json!({"name": "a", "count": "2"}), 1, "fine");
    is(json!({"name": ""}), 1, "Invalid input for field/attribute name. Value: . '' should be non-empty");
    is(json!({"name": 3}), 1, "Invalid input for field/attribute name. Value: 3. 3 is not of type 'string'");
    is(
        json!({"count": 0, "name": "a"}),
        1,
        "Invalid input for field/attribute count. Value: 0. 0 is less than the minimum of 1",
    );
    is(
        json!({"count": 1}),
        1,
        "Invalid input for field/attribute server. Value: {'count': 1}. 'name' is a required property",
    );
    is(
        json!({"name": "a", "description": null}),
        18,
        "Invalid input for field/attribute server. Value: {'name': 'a', 'description': None}. Additional \
         properties are not allowed ('description' was unexpected)",
    );
    is(json!({"name": "a", "description": null}), 19, "fine");
    is(
        json!({"name": "a", "metadata": {"k": 1}}),
        1,
        "Invalid input for field/attribute k. Value: 1. 1 is not of type 'string'",
    );
    assert!(told(&json!({"name": "a"}), 37).ends_with("'networks' is a required property"));
    is(json!({"name": "a", "networks": "auto"}), 37, "fine");
    is(
        json!({"name": "a", "networks": [{"uuid": "x"}]}),
        37,
        "Invalid input for field/attribute networks. Value: [{'uuid': 'x'}]. [{'uuid': 'x'}] is not valid under any \
         of the given schemas",
    );
    assert_eq!(
        root(&json!({"a": 1, "b": 2, "server": {}}), &["server"]).unwrap_err().message,
        "Additional properties are not allowed ('a', 'b' were unexpected)"
    );
}

#[test]
fn strings_print_as_python_prints_them() {
    assert_eq!(repr(&json!(["it's", "a\"b'c", "x\n"])), r#"["it's", 'a"b\'c', 'x\n']"#);
}
