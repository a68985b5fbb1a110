use base::Ctx;
use serde_json::{Map, Value, json};
use web::Params;

use super::*;
use crate::fault;

const THING: Spec = Spec {
    member: "thing",
    collection: "things",
    table: "thing",
    attrs: &[
        attr("cidr", Kind::Cidr).required().by(Filter::Text("cidr")),
        attr("up", Kind::Flag).both().by(Filter::Flag("up")),
        attr("owned:secret", Kind::Text(5)).both().admin().filter(Filter::View),
        attr("size", Kind::IntOrNull(0, 10)).both().by(Filter::View),
        attr("mac", Kind::Mac).post(),
        attr("status", Kind::Text(9)).by(Filter::View),
    ],
    bulk: true,
    extent: Extent::Full,
    not_found: fault::network_not_found,
};

fn member(roles: &[&str]) -> Ctx {
    let domain = base::DomainRef { id: "default".into(), name: "Default".into() };
    let mut ctx = Ctx::internal("test");
    ctx.auth = std::sync::Arc::new(base::Auth {
        user: base::UserRef { id: "u".into(), name: "u".into(), domain: domain.clone() },
        scope: base::Scope::Project(base::ProjectRef { id: "p".into(), name: "p".into(), domain }),
        roles: roles.iter().map(|r| (*r).into()).collect(),
        expires_at: jiff::Timestamp::MAX,
        is_admin: roles.contains(&"admin"),
    });
    ctx
}

#[test]
fn bodies_are_refused_in_neutrons_words() {
    let ctx = member(&["member"]);
    let refused = |body: Value| THING.create(&ctx, &body).unwrap_err().to_string();
    assert_eq!(refused(json!({})), "Resource body required");
    assert_eq!(refused(json!([1])), "Resource body required");
    assert_eq!(refused(json!({"other": {}})), "Unable to find 'thing' in request body");
    assert_eq!(refused(json!({"things": []})), "Resources required");
    assert_eq!(
        refused(json!({"thing": {"name": "x"}})),
        "Failed to parse request. Required attribute 'cidr' not specified"
    );
    let with = |extra: Value| {
        let mut thing = json!({"cidr": "10.0.0.0/8"});
        thing.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        refused(json!({ "thing": thing }))
    };
    assert_eq!(with(json!({"colour": 1})), "Unrecognized attribute(s) 'colour'");
    assert_eq!(with(json!({"status": "UP"})), "Attribute 'status' not allowed in POST");
    assert_eq!(with(json!({"owned:secret": "x"})), "rule:create_thing:owned:secret is disallowed by policy");
    assert_eq!(
        with(json!({"up": "maybe"})),
        "Invalid input for operation: 'maybe' cannot be converted to boolean."
    );
    assert_eq!(
        with(json!({"size": 11})),
        "Invalid input for size. Reason: '11' is too large - must be no larger than '10'."
    );
    assert_eq!(
        with(json!({"cidr": "10.1.1.1"})),
        "Invalid input for cidr. Reason: '10.1.1.1' is not a valid IP subnet."
    );
    assert_eq!(
        with(json!({"mac": "01:00:5e:00:00:01"})),
        "Invalid input for mac. Reason: '01:00:5e:00:00:01' is not a valid MAC address."
    );
    let foreign = json!({"thing": {"cidr": "10.0.0.0/8", "project_id": "q"}});
    let error = THING.create_one(&ctx, &foreign).unwrap().owner(&ctx).unwrap_err().to_string();
    assert!(error.starts_with("Specifying 'project_id' other"), "{error}");
}

#[test]
fn values_are_normalized() {
    let ctx = member(&["member"]);
    let body =
        json!({"things": [{"cidr": "10.0.0.0/8", "up": "True", "size": "7", "mac": "FA-16-3E-00-00-0A"}]});
    let (inputs, bulk) = THING.create(&ctx, &body).unwrap();
    assert!(bulk);
    assert_eq!(inputs[0].flag("up"), Some(true));
    assert_eq!(inputs[0].int("size"), Some(7));
    assert_eq!(inputs[0].text("mac"), Some("fa:16:3e:00:00:0a"));
    let update = THING.update(&ctx, &json!({"thing": {"size": null}})).unwrap();
    assert!(update.has("size") && update.int("size").is_none());
    let error = THING.update(&ctx, &json!({"thing": {"id": "x"}})).unwrap_err();
    assert_eq!(error.to_string(), "Cannot update read-only attribute id");
}

fn views() -> Vec<Map<String, Value>> {
    let view = |id: &str, size: i64, tags: &[&str]| {
        json!({"id": id, "size": size, "up": true, "tags": tags}).as_object().unwrap().clone()
    };
    vec![view("a", 3, &["red", "big"]), view("b", 1, &["red"]), view("c", 2, &[])]
}

fn listed(query: &[(&str, &str)]) -> Value {
    let params = Params::from_pairs(query);
    Listing::read(&THING, &params).unwrap().finish(&THING, &params, "http://h", views()).unwrap()
}

fn ids(query: &[(&str, &str)]) -> String {
    let body = listed(query);
    body["things"].as_array().unwrap().iter().map(|v| v["id"].as_str().unwrap()).collect()
}

#[test]
fn lists_are_filtered_sorted_and_cut() {
    assert_eq!(ids(&[]), "abc");
    assert_eq!(ids(&[("size", "1"), ("size", "3")]), "ab");
    assert_eq!(ids(&[("tags", "red,big")]), "a");
    assert_eq!(ids(&[("tags-any", "big,x")]), "a");
    assert_eq!(ids(&[("not-tags", "red,big")]), "bc");
    assert_eq!(ids(&[("not-tags-any", "red,big")]), "c");
    assert_eq!(ids(&[("sort_key", "size"), ("sort_dir", "desc")]), "acb");
    assert_eq!(ids(&[("limit", "1"), ("marker", "a")]), "b");
    assert_eq!(ids(&[("limit", "1"), ("marker", "c"), ("page_reverse", "True")]), "b");
    let page = listed(&[("limit", "2")]);
    assert_eq!(page["things_links"][0], json!({"rel": "next", "href": "http://h/?limit=2&marker=b"}));
    assert!(listed(&[("limit", "5")])["things_links"].as_array().unwrap().iter().all(|l| l["rel"] != "next"));
    assert_eq!(listed(&[("fields", "id"), ("limit", "1")])["things"], json!([{"id": "a"}]));
}

#[test]
fn bad_queries_are_refused() {
    let refused = |query: &[(&str, &str)]| {
        let params = Params::from_pairs(query);
        Listing::read(&THING, &params)
            .and_then(|l| l.finish(&THING, &params, "", views()))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(&[("colour", "1")]), "['colour'] is invalid attribute for filtering");
    assert_eq!(
        refused(&[("sort_key", "colour"), ("sort_dir", "asc")]),
        "['colour'] is invalid attribute for sort_keys"
    );
    assert_eq!(refused(&[("sort_key", "size")]), "The number of sort_keys and sort_dirs must be same");
    assert_eq!(
        refused(&[("limit", "-1")]),
        "Bad limit request: Limit must be an integer 0 or greater and not '-1'."
    );
    assert!(refused(&[("limit", "1"), ("marker", "zz")]).contains("zz"));
    assert!(refused(&[("up", "maybe")]).contains("boolean"));
}
