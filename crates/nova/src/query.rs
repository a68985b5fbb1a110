//! Query strings: paging, unknown keys, and what only newer microversions have.

use base::{Ctx, Error, Page, Result};
use serde_json::json;
use web::Params;

use crate::schema;

/// Nova's `[api] max_limit`.
pub(crate) const MAX_LIMIT: usize = 1000;

/// The first microversion without the calls that only pass on to Neutron, Glance and Cinder.
pub(crate) const PROXIES_GONE: u16 = 36;

/// From 2.75 on unknown keys are refused; before they were ignored.
pub(crate) fn only(ctx: &Ctx, params: &Params, known: &[&str]) -> Result<()> {
    if !ctx.at_least(2, 75) {
        return Ok(());
    }
    let extra: Vec<String> = params.keys().filter(|k| !known.contains(k)).map(|k| format!("'{k}'")).collect();
    match extra.len() {
        0 => Ok(()),
        1 => Err(Error::bad_request(format!(
            "Additional properties are not allowed ({} was unexpected)",
            extra[0]
        ))),
        _ => Err(Error::bad_request(format!(
            "Additional properties are not allowed ({} were unexpected)",
            extra.join(", ")
        ))),
    }
}

pub(crate) fn one_of(key: &str, value: &str, known: &[&str]) -> Result<()> {
    if known.contains(&value) {
        return Ok(());
    }
    let list = known.iter().map(|k| format!("'{k}'")).collect::<Vec<_>>().join(", ");
    Err(schema::invalid(key, &json!(value), &format!("'{value}' is not one of [{list}]")))
}

/// limit and marker in Nova's words.
pub(crate) fn page(params: &Params) -> Result<Page> {
    let limit = match params.get("limit") {
        None => None,
        Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            Some(text.parse::<usize>().unwrap_or(usize::MAX))
        }
        Some(text) => {
            return Err(schema::invalid(
                "limit",
                &json!(text),
                &format!("'{text}' does not match '^[0-9]*$'"),
            ));
        }
    };
    Ok(Page { limit, marker: params.get("marker").map(Into::into), ..Page::default() })
}

/// 404 for what this request's microversion does not have yet.
pub(crate) fn since(ctx: &Ctx, minor: u16) -> Result<()> {
    if ctx.at_least(2, minor) { Ok(()) } else { Err(absent()) }
}

/// 404 for what was taken out at this microversion.
pub(crate) fn before(ctx: &Ctx, minor: u16) -> Result<()> {
    if ctx.at_least(2, minor) { Err(absent()) } else { Ok(()) }
}

fn absent() -> Error {
    Error::not_found("The resource could not be found.")
}

pub(crate) fn no_such_action(name: &str) -> Error {
    Error::bad_request(format!("There is no such action: {name}"))
}
