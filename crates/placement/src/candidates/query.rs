//! The query strings that ask for providers and candidates.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base::{Ctx, Error, Result};
use serde_json::{Value, json};
use web::Params;
use web::schema::Schema;

use super::{Group, MemberOf, Request, Traits};
use crate::wire::valid_query;

fn bad_value(message: impl Into<String>) -> Error {
    Error::bad_request(message).code("placement.query.bad_value")
}

/// `VCPU:2,MEMORY_MB:1024`
pub fn resources(text: &str) -> Result<Vec<(String, i64)>> {
    let malformed = |got: &str| {
        Error::bad_request(format!(
            "Badly formed resources parameter. Expected resources query string parameter in form: \
             ?resources=VCPU:2,MEMORY_MB:1024. Got: {got}."
        ))
    };
    if text.trim().is_empty() {
        return Err(malformed("empty string"));
    }
    let mut found: Vec<(String, i64)> = Vec::new();
    for part in text.split(',') {
        let (class, amount) =
            part.split_once(':').filter(|(_, a)| !a.contains(':')).ok_or_else(|| malformed(part))?;
        let n: i64 = amount.trim().parse().map_err(|_| {
            Error::bad_request(format!(
                "Requested resource {class} expected positive integer amount. Got: {amount}."
            ))
        })?;
        if n < 1 {
            return Err(Error::bad_request(format!(
                "Requested resource {class} requires amount >= 1. Got: {n}."
            )));
        }
        found.retain(|(c, _)| c != class);
        found.push((class.to_owned(), n));
    }
    Ok(found)
}

/// `required<suffix>`: `A,!B`, and since 1.39 `in:A,B` and several of them.
pub fn required(ctx: &Ctx, params: &Params, suffix: &str) -> Result<Traits> {
    let key = format!("required{suffix}");
    let mut values: Vec<&str> = params.all(&key).collect();
    let any = ctx.at_least(1, 39);
    if !any && values.len() > 1 {
        values.drain(..values.len() - 1);
    }
    let mut traits = Traits::default();
    for value in values {
        one_required(value, ctx.at_least(1, 22), any, &mut traits)?;
    }
    Ok(traits)
}

fn one_required(value: &str, forbidding: bool, any: bool, traits: &mut Traits) -> Result<()> {
    let invalid = |why: String| Error::bad_request(format!("Invalid query string parameters: {why}"));
    if let Some(list) = value.strip_prefix("in:") {
        if !any {
            return Err(invalid(format!(
                "The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion 1.39. Got: {value}"
            )));
        }
        let set: BTreeSet<String> = list.split(',').map(|t| t.trim().to_owned()).collect();
        if set.contains("") {
            return Err(invalid(format!(
                "Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC. Got an empty trait in: {value}"
            )));
        }
        if set.iter().any(|t| t.starts_with('!')) {
            return Err(invalid(format!(
                "The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden traits. Got: {value}"
            )));
        }
        traits.required.push(set);
        return Ok(());
    }
    let form = if forbidding { "HW_CPU_X86_VMX,!CUSTOM_MAGIC" } else { "HW_CPU_X86_VMX,CUSTOM_MAGIC" };
    for name in value.split(',').map(str::trim) {
        let bare = name.trim_start_matches('!');
        if bare.is_empty() {
            return Err(invalid(format!(
                "Expected 'required' parameter value of the form: {form}. Got an empty trait in: {value}"
            )));
        }
        if name == bare {
            traits.required.push(BTreeSet::from([bare.to_owned()]));
        } else if forbidding {
            traits.forbidden.insert(bare.to_owned());
        } else {
            return Err(invalid(format!(
                "Expected 'required' parameter value of the form: {form}. Got: {value}"
            )));
        }
    }
    Ok(())
}

/// `member_of<suffix>`: a uuid, `in:a,b`, and since 1.32 `!a` and `!in:a,b`.
pub fn member_of(ctx: &Ctx, params: &Params, suffix: &str) -> Result<MemberOf> {
    let key = format!("member_of{suffix}");
    let values: Vec<&str> = params.all(&key).collect();
    if values.len() > 1 && !ctx.at_least(1, 24) {
        return Err(Error::bad_request(format!("Multiple {key} parameters are not supported")));
    }
    let mut out = MemberOf::default();
    for value in values {
        let list = |text: &str| -> BTreeSet<String> { text.split(',').map(Into::into).collect() };
        let many = value.starts_with("in:") || value.starts_with("!in:");
        if value.contains(',') && !many {
            return Err(Error::bad_request(format!(
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid \
                 microversion. Got: {value}"
            )));
        }
        let (forbidden, set) = match value.strip_prefix('!') {
            Some(rest) => (true, list(rest.strip_prefix("in:").unwrap_or(rest))),
            None => (false, list(value.strip_prefix("in:").unwrap_or(value))),
        };
        if let Some(strange) = set.iter().find(|id| !base::id::is_uuid(id)) {
            return Err(Error::bad_request(format!(
                "Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). Got: {strange}"
            )));
        }
        if !forbidden {
            out.required.push(set);
        } else if ctx.at_least(1, 32) {
            out.forbidden.extend(set);
        } else {
            return Err(Error::bad_request(format!(
                "Forbidden {key} parameters are not supported in the specified microversion"
            )));
        }
    }
    Ok(out)
}

/// What a request for candidates may say, by microversion.
static SCHEMAS: LazyLock<Vec<(u16, Schema)>> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let limit = json!({"type": ["integer", "string"], "pattern": "^[1-9][0-9]*$", "minLength": 1});
    let mut plain = json!({"resources": text});
    let mut all = Vec::new();
    let mut add = |minor: u16, properties: &Value, patterns: Value, required: &[&str]| {
        let document = json!({
            "type": "object", "properties": properties, "patternProperties": patterns, "required": required,
            "additionalProperties": false,
        });
        all.push((minor, Schema::new(&document)));
    };
    add(10, &plain, json!({}), &["resources"]);
    for (minor, key, inner) in [(16, "limit", &limit), (17, "required", &text), (21, "member_of", &text)] {
        plain[key] = inner.clone();
        add(minor, &plain, json!({}), &["resources"]);
    }
    let mut wide = json!({"limit": limit, "group_policy": {"type": "string", "enum": ["none", "isolate"]}});
    let groups = |keys: &[&str], suffix: &str| -> Value {
        keys.iter()
            .map(|key| (format!("^{key}({suffix})?$"), text.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let (number, name) = ("[1-9][0-9]*", "[a-zA-Z0-9_-]{1,64}");
    add(25, &wide, groups(&["resources", "required", "member_of"], number), &[]);
    let keys = ["resources", "required", "member_of", "in_tree"];
    add(31, &wide, groups(&keys, number), &[]);
    add(33, &wide, groups(&keys, name), &[]);
    for (minor, key) in [(35, "root_required"), (36, "same_subtree")] {
        wide[key] = text.clone();
        add(minor, &wide, groups(&keys, name), &[]);
    }
    all
});

pub fn parse(ctx: &Ctx, params: &Params) -> Result<Request> {
    if let Some((_, schema)) = SCHEMAS.iter().rev().find(|(minor, _)| ctx.at_least(1, *minor)) {
        valid_query(schema, params)?;
    }
    let mut request = Request {
        limit: params.all("limit").next().and_then(|l| l.parse().ok()),
        isolate: params.all("group_policy").next() == Some("isolate"),
        nested: ctx.at_least(1, 29),
        ..Request::default()
    };
    request.root = root_required(params)?;
    for value in params.all("same_subtree") {
        let suffixes: BTreeSet<String> = value.split(',').map(|s| s.trim().to_owned()).collect();
        if suffixes.contains("") {
            return Err(bad_value("Empty string (unsuffixed group) can not be specified in `same_subtree` "));
        }
        request.same_subtrees.push(suffixes);
    }
    request.groups = groups(ctx, params)?;
    if ctx.at_least(1, 36) {
        check_suffixes(&request)?;
    } else {
        check_orphans(&request.groups)?;
    }
    check_conflicts(&request.groups)?;
    let suffixed = request.groups.iter().filter(|g| !g.suffix.is_empty()).count();
    if suffixed > 1 && !params.has("group_policy") {
        return Err(Error::bad_request(
            "The \"group_policy\" parameter is required when specifying more than one \"resources{N}\" parameter.",
        ));
    }
    Ok(request)
}

fn root_required(params: &Params) -> Result<Traits> {
    let values: Vec<&str> = params.all("root_required").collect();
    if values.len() > 1 {
        return Err(Error::bad_request("Query parameter 'root_required' may be specified only once.")
            .code("placement.query.duplicate_key"));
    }
    let mut traits = Traits::default();
    for value in values {
        one_required(value, true, false, &mut traits)?;
    }
    let both: Vec<&String> =
        traits.required.iter().flatten().filter(|t| traits.forbidden.contains(*t)).collect();
    if !both.is_empty() {
        let both: Vec<&str> = both.into_iter().map(String::as_str).collect();
        return Err(bad_value(format!(
            "Conflicting required and forbidden traits found in root_required: {}",
            both.join(", ")
        )));
    }
    Ok(traits)
}

fn groups(ctx: &Ctx, params: &Params) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for (key, value) in params.pairs() {
        let Some((prefix, suffix)) = ["resources", "required", "member_of", "in_tree"]
            .into_iter()
            .find_map(|p| Some((p, key.strip_prefix(p)?)))
        else {
            continue;
        };
        let at = groups.iter().position(|g| g.suffix == suffix).unwrap_or_else(|| {
            groups.push(Group { suffix: suffix.to_owned(), ..Group::default() });
            groups.len() - 1
        });
        let Some(group) = groups.get_mut(at) else { continue };
        match prefix {
            "resources" => group.resources = resources(value)?,
            "required" => group.traits = required(ctx, params, suffix)?,
            "member_of" => group.member_of = member_of(ctx, params, suffix)?,
            _ => {
                let uuid = value.trim();
                if !base::id::is_uuid(uuid) {
                    return Err(Error::bad_request(format!(
                        "Invalid query string parameters: Expected 'in_tree' parameter to be a format of uuid. Got: {value}"
                    )));
                }
                group.in_tree = Some(uuid.to_owned());
            }
        }
    }
    Ok(groups)
}

fn check_suffixes(request: &Request) -> Result<()> {
    let empty: Vec<&Group> = request.groups.iter().filter(|g| g.resources.is_empty()).collect();
    if empty.len() == request.groups.len() {
        return Err(Error::bad_request("There must be at least one resources or resources[$S] parameter.")
            .code("placement.query.missing_value"));
    }
    let in_subtree: BTreeSet<&String> = request.same_subtrees.iter().flatten().collect();
    let bad: Vec<String> =
        empty.iter().filter(|g| !in_subtree.contains(&g.suffix)).map(|g| format!("'{}'", g.suffix)).collect();
    if !bad.is_empty() {
        return Err(bad_value(format!(
            "Resourceless suffixed group request should be specified in `same_subtree` query param: bad group(s) - [{}].",
            bad.join(", ")
        )));
    }
    let quoted = |s: &String| format!("'{s}'");
    let strange: Vec<String> = in_subtree
        .into_iter()
        .filter(|s| !request.groups.iter().any(|g| g.suffix == **s))
        .map(quoted)
        .collect();
    if !strange.is_empty() {
        let real: Vec<String> = request.groups.iter().map(|g| quoted(&g.suffix)).collect();
        return Err(bad_value(format!(
            "Real suffixes should be specified in `same_subtree`: [{}] not found in [{}].",
            strange.join(", "),
            real.join(", ")
        )));
    }
    Ok(())
}

fn check_orphans(groups: &[Group]) -> Result<()> {
    let orphans = |prefix: &str, has: &dyn Fn(&Group) -> bool| -> Vec<String> {
        let found = groups.iter().filter(|g| g.resources.is_empty() && has(g));
        found.map(|g| format!("{prefix}{}", g.suffix)).collect()
    };
    let traits = orphans("required", &|g| !g.traits.required.is_empty());
    if !traits.is_empty() {
        return Err(Error::bad_request(format!(
            "All traits parameters must be associated with resources.  Found the following orphaned traits keys: {}",
            traits.join(", ")
        )));
    }
    let members =
        orphans("member_of", &|g| !g.member_of.required.is_empty() || !g.member_of.forbidden.is_empty());
    if !members.is_empty() {
        return Err(Error::bad_request(format!(
            "All member_of parameters must be associated with resources. Found the following orphaned member_of keys: {}",
            members.join(", ")
        )));
    }
    if groups.iter().any(|g| g.resources.is_empty()) {
        return Err(Error::bad_request("All request groups must specify resources."));
    }
    if groups.is_empty() {
        return Err(Error::bad_request(
            "At least one request group (`resources` or `resources{$S}`) is required.",
        ));
    }
    Ok(())
}

fn check_conflicts(groups: &[Group]) -> Result<()> {
    let mut found: Vec<String> = Vec::new();
    for group in groups {
        for any in group.traits.required.iter().filter(|any| any.is_subset(&group.traits.forbidden)) {
            let names: Vec<&str> = any.iter().map(String::as_str).collect();
            found.push(format!("required{}: ({})", group.suffix, names.join(", ")));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    found.sort();
    Err(Error::bad_request(format!(
        "Conflicting required and forbidden traits found in the following traits keys: {}",
        found.join(", ")
    )))
}
