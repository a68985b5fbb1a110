use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{KINDS, QosPolicy, QosRule, RULE_SPECS, rules, store};
use crate::Neutron;
use crate::plane::Wakes;
use crate::request::{Listing, create, delete, list, may_write, only_fields, owned, show, update, visible};
use crate::rows;

const GET: Policy = Policy::new("get_policy", Rule::ProjectReader);
// A project's managers; see `Ordinary::WRITERS`.
const CREATE: Policy = Policy::new("create_policy", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_policy", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_policy", Rule::ProjectMember);
const TYPES: Policy = Policy::new("get_rule_type", Rule::Reader);
const TYPE: Policy = Policy::new("get_rule_type_details", Rule::Admin);

/// (policies to read and to write a rule, path of all, path of one, path of one without its policy where there is one)
type Paths = (Policy, Policy, &'static str, &'static str, Option<&'static str>);

const PATHS: [Paths; 5] = [
    (
        Policy::new("get_policy_bandwidth_limit_rule", Rule::ProjectReader),
        Policy::new("update_policy_bandwidth_limit_rule", Rule::ProjectMember),
        "/v2.0/qos/policies/{policy}/bandwidth_limit_rules",
        "/v2.0/qos/policies/{policy}/bandwidth_limit_rules/{id}",
        Some("/v2.0/qos/alias_bandwidth_limit_rules/{id}"),
    ),
    (
        Policy::new("get_policy_dscp_marking_rule", Rule::ProjectReader),
        Policy::new("update_policy_dscp_marking_rule", Rule::ProjectMember),
        "/v2.0/qos/policies/{policy}/dscp_marking_rules",
        "/v2.0/qos/policies/{policy}/dscp_marking_rules/{id}",
        Some("/v2.0/qos/alias_dscp_marking_rules/{id}"),
    ),
    (
        Policy::new("get_policy_minimum_bandwidth_rule", Rule::ProjectReader),
        Policy::new("update_policy_minimum_bandwidth_rule", Rule::ProjectMember),
        "/v2.0/qos/policies/{policy}/minimum_bandwidth_rules",
        "/v2.0/qos/policies/{policy}/minimum_bandwidth_rules/{id}",
        Some("/v2.0/qos/alias_minimum_bandwidth_rules/{id}"),
    ),
    (
        Policy::new("get_policy_packet_rate_limit_rule", Rule::ProjectReader),
        Policy::new("update_policy_packet_rate_limit_rule", Rule::ProjectMember),
        "/v2.0/qos/policies/{policy}/packet_rate_limit_rules",
        "/v2.0/qos/policies/{policy}/packet_rate_limit_rules/{id}",
        None,
    ),
    (
        Policy::new("get_policy_minimum_packet_rate_rule", Rule::ProjectReader),
        Policy::new("update_policy_minimum_packet_rate_rule", Rule::ProjectMember),
        "/v2.0/qos/policies/{policy}/minimum_packet_rate_rules",
        "/v2.0/qos/policies/{policy}/minimum_packet_rate_rules/{id}",
        Some("/v2.0/qos/alias_minimum_packet_rate_rules/{id}"),
    ),
];

static ROUTES: [Paths; 5] = PATHS;

type App = State<Arc<Neutron>>;

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    let routes = routes
        .get("/v2.0/qos/policies", &GET, list::<QosPolicy>)
        .post("/v2.0/qos/policies", &CREATE, create::<QosPolicy>)
        .get("/v2.0/qos/policies/{id}", &GET, show::<QosPolicy>)
        .put("/v2.0/qos/policies/{id}", &UPDATE, update::<QosPolicy>)
        .delete("/v2.0/qos/policies/{id}", &DELETE, delete::<QosPolicy>)
        .get("/v2.0/qos/rule-types", &TYPES, rule_types)
        .get("/v2.0/qos/rule-types/{kind}", &TYPE, rule_type);
    ROUTES.iter().enumerate().fold(routes, |routes, (at, (get, write, all, one, alias))| {
        let routes = routes
            .get(all, get, move |a: App, c: Caller, o: Origin, p: Path<String>, q: Params| {
                list_rules(at, a, c, o, p, q)
            })
            .post(all, write, move |a: App, c: Caller, p: Path<String>, b: Json<Value>| {
                create_rule(at, a, c, p, b)
            })
            .get(one, get, move |State(a): App, Caller(c): Caller, Path((policy, id)): Path<(String, String)>, q: Params| async move {
                show_rule(at, &a, &c, Some(policy), &id, &q).await
            })
            .put(one, write, move |State(a): App, Caller(c): Caller, Path((policy, id)): Path<(String, String)>, Json(b): Json<Value>| async move {
                update_rule(at, &a, &c, Some(policy), &id, &b, KINDS[at].1).await
            })
            .delete(one, write, move |State(a): App, Caller(c): Caller, Path((policy, id)): Path<(String, String)>| async move {
                delete_rule(at, &a, &c, Some(policy), &id).await
            });
        let Some(alias) = alias else { return routes };
        routes
            .get(alias, get, move |State(a): App, Caller(c): Caller, Path(id): Path<String>, q: Params| async move {
                show_rule(at, &a, &c, None, &id, &q).await
            })
            .put(alias, write, move |State(a): App, Caller(c): Caller, Path(id): Path<String>, Json(b): Json<Value>| async move {
                let word = format!("alias_{}", KINDS[at].1);
                update_rule(at, &a, &c, None, &id, &b, &word).await
            })
            .delete(alias, write, move |State(a): App, Caller(c): Caller, Path(id): Path<String>| async move {
                delete_rule(at, &a, &c, None, &id).await
            })
    })
}

async fn rule_types() -> web::Result {
    let types: Vec<Value> = KINDS.iter().map(|(kind, ..)| json!({ "type": kind })).collect();
    Ok(web::json(200, &json!({ "rule_types": types })))
}

async fn rule_type(Path(kind): Path<String>) -> web::Result {
    let direction = |values: &[&str]| json!({"parameter_name": "direction", "parameter_type": "choices", "parameter_values": values});
    let both = direction(&["egress", "ingress"]);
    let range = |name: &str| {
        json!({
            "parameter_name": name, "parameter_type": "range",
            "parameter_values": {"start": 0, "end": rules::MAX},
        })
    };
    let parameters = match kind.as_str() {
        "bandwidth_limit" => json!([range("max_kbps"), range("max_burst_kbps"), both]),
        "dscp_marking" => json!([{
            "parameter_name": "dscp_mark", "parameter_type": "choices", "parameter_values": rules::DSCP_MARKS,
        }]),
        "minimum_bandwidth" => json!([range("min_kbps"), both]),
        "packet_rate_limit" => json!([range("max_kpps"), range("max_burst_kpps"), both]),
        "minimum_packet_rate" => json!([range("min_kpps"), direction(&["egress", "ingress", "any"])]),
        other => {
            let message = format!("Rule type {other} could not be found.");
            return Err(base::Error::not_found(message).code("QosRuleTypeNotFound").into());
        }
    };
    let drivers = json!([{"name": "cumulet", "supported_parameters": parameters}]);
    Ok(web::json(200, &json!({"rule_type": {"type": kind, "drivers": drivers}})))
}

async fn list_rules(
    at: usize,
    State(app): App,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Path(policy): Path<String>,
    params: Params,
) -> web::Result {
    let listing = Listing::read(&RULE_SPECS[at], &params)?;
    let mut conn = app.db.read().await?;
    visible::<QosPolicy>(&mut conn, &ctx, &policy).await?;
    let mut conditions = listing.conditions.clone();
    conditions.and("qos_policy_id = ?", [policy.into()]).and("kind = ?", [KINDS[at].0.into()]);
    let rules: Vec<QosRule> = conditions.rows(&mut conn, "qos_rule").await?;
    drop(conn);
    let views = rules.iter().map(QosRule::view).collect();
    Ok(web::json(200, &listing.finish(&RULE_SPECS[at], &params, &origin, views)?))
}

async fn create_rule(
    at: usize,
    State(app): App,
    Caller(ctx): Caller,
    Path(policy): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let (kind, word, _) = KINDS[at];
    let rule = rules::create(&policy, kind, &RULE_SPECS[at].create_one(&ctx, &body)?)?;
    let made: Result<Wakes> = db::write!(app.db, |tx| {
        // What is made in somebody else's is forbidden, not hidden.
        let found: Option<QosPolicy> = rows::find(tx, super::SPEC.table, &policy).await?;
        let policy = found.ok_or_else(|| super::not_found(&policy))?;
        may_write(&ctx, &policy, "update")?;
        store::create_rule(tx, &ctx, &policy, &rule).await
    });
    app.wake(&made?);
    Ok(web::json(201, &json!({ word: rule.view() })))
}

/// A rule of this kind, with its policy: the one that was named, or the rule's own.
async fn find(
    at: usize,
    conn: &mut db::AnyConnection,
    ctx: &Ctx,
    policy: Option<&str>,
    id: &str,
) -> Result<(QosPolicy, QosRule)> {
    if let Some(policy_id) = policy {
        let policy: QosPolicy = visible(conn, ctx, policy_id).await?;
        let rule = store::find_rule(conn, id, KINDS[at].0).await?.filter(|r| r.qos_policy_id == policy_id);
        return Ok((policy, rule.ok_or_else(|| rules::not_of_policy(id, policy_id))?));
    }
    let missing = || rules::not_of_policy(id, "");
    let rule = store::find_rule(conn, id, KINDS[at].0).await?.ok_or_else(missing)?;
    let policy = visible(conn, ctx, &rule.qos_policy_id).await.map_err(|_| missing())?;
    Ok((policy, rule))
}

async fn show_rule(
    at: usize,
    app: &Neutron,
    ctx: &Ctx,
    policy: Option<String>,
    id: &str,
    params: &Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let (_, rule) = find(at, &mut conn, ctx, policy.as_deref(), id).await?;
    let word = if policy.is_some() { KINDS[at].1.to_owned() } else { format!("alias_{}", KINDS[at].1) };
    Ok(web::json(200, &json!({ word: only_fields(params, rule.view()) })))
}

async fn update_rule(
    at: usize,
    app: &Neutron,
    ctx: &Ctx,
    policy: Option<String>,
    id: &str,
    body: &Value,
    word: &str,
) -> web::Result {
    let body = json!({ KINDS[at].1: body.get(word) });
    let input = RULE_SPECS[at].update(ctx, &body)?;
    let updated: Result<(QosRule, Wakes)> = db::write!(app.db, |tx| {
        let (policy, mut rule) = find(at, tx, ctx, policy.as_deref(), id).await?;
        owned::<QosPolicy>(tx, ctx, &policy.standard.id, "update").await?;
        rules::apply(&mut rule, &input)?;
        let wakes = store::update_rule(tx, ctx, &policy, &rule).await?;
        Ok((rule, wakes))
    });
    let (rule, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ word: rule.view() })))
}

async fn delete_rule(at: usize, app: &Neutron, ctx: &Ctx, policy: Option<String>, id: &str) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let (policy, rule) = find(at, tx, ctx, policy.as_deref(), id).await?;
        owned::<QosPolicy>(tx, ctx, &policy.standard.id, "update").await?;
        store::delete_rule(tx, ctx, &policy, &rule).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
