//! Which flavors a caller sees, and what a new one must be.

use std::cmp::Ordering;

use base::page::Direction;
use base::{Ctx, Error, Result};
use db::Conn;
use serde_json::{Map, Value};
use web::Params;

use super::Flavor;
use super::store::{self, Seen};
use crate::schema::{Field, Kind, MAX_INT, PRINTABLE, flag, integer};

pub(super) const CREATE: &[Field] = &[
    Field::new("name", Kind::Name).required(),
    Field::new(
        "id",
        Kind::OneOf(&[
            Kind::TextOrNull(1, 255, id_char, "^(?! )[a-zA-Z0-9. _-]+(?<! )$"),
            Kind::Integer(0, MAX_INT),
        ]),
    ),
    Field::new("ram", Kind::Integer(1, MAX_INT)).required(),
    Field::new("vcpus", Kind::Integer(1, MAX_INT)).required(),
    Field::new("disk", Kind::Integer(0, MAX_INT)).required(),
    Field::new("OS-FLV-EXT-DATA:ephemeral", Kind::Integer(0, MAX_INT)),
    Field::new("swap", Kind::Integer(0, MAX_INT)),
    Field::new("rxtx_factor", Kind::Number).until(101),
    Field::new("os-flavor-access:is_public", Kind::Bool),
    Field::new("description", Kind::TextOrNull(0, 65535, PRINTABLE, "")).from(55),
];

pub(super) const UPDATE: &[Field] =
    &[Field::new("description", Kind::TextOrNull(0, 65535, PRINTABLE, "")).required()];

fn id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || ". _-".contains(c)
}

pub(super) fn parse(body: &Map<String, Value>) -> Result<Flavor> {
    let number = |key: &str| body.get(key).and_then(integer).unwrap_or(0);
    let id = match body.get("id") {
        None | Some(Value::Null) => base::id::uuid(),
        Some(Value::String(text)) if text.trim() != text => {
            let pattern = "does not match '^(?! )[a-zA-Z0-9. _-]+(?<! )$'";
            return Err(crate::schema::invalid("id", &body["id"], &format!("'{text}' {pattern}")));
        }
        Some(value) => crate::schema::text_or_number(value).unwrap_or_default(),
    };
    let rxtx_factor = match body.get("rxtx_factor") {
        None => 1.0,
        Some(Value::String(text)) => text.parse().unwrap_or(0.0),
        Some(value) => value.as_f64().unwrap_or(0.0),
    };
    if rxtx_factor <= 0.0 || rxtx_factor > 3.40282e38 {
        let value = &body["rxtx_factor"];
        let message = "It must be greater than 0 and at most 3.40282e+38";
        return Err(crate::schema::invalid("rxtx_factor", value, message));
    }
    Ok(Flavor {
        id,
        name: body["name"].as_str().unwrap_or_default().into(),
        vcpus: number("vcpus"),
        memory_mib: number("ram"),
        root_gib: number("disk"),
        ephemeral_gib: number("OS-FLV-EXT-DATA:ephemeral"),
        swap_mib: number("swap"),
        rxtx_factor,
        is_public: body.get("os-flavor-access:is_public").and_then(flag).unwrap_or(true),
        description: body.get("description").and_then(Value::as_str).map(Into::into),
        extra_specs: std::collections::BTreeMap::new(),
    })
}

pub(super) fn not_found(id: &str) -> Error {
    Error::not_found(format!("Flavor {id} could not be found."))
}

pub(super) fn no_spec(id: &str, key: &str) -> Error {
    Error::not_found(format!("Flavor {id} has no extra specs with key {key}."))
}

/// A flavor as this caller may use it.
pub(crate) async fn get(conn: &mut Conn, ctx: &Ctx, id: &str) -> Result<Flavor> {
    let flavor = store::get(conn, id).await?.ok_or_else(|| not_found(id))?;
    if flavor.is_public || ctx.is_admin() {
        return Ok(flavor);
    }
    match ctx.project() {
        Some(project) if store::has_access(conn, id, &project.id).await? => Ok(flavor),
        _ => Err(not_found(id)),
    }
}

/// The filters that do not need to know who asks.
#[derive(Debug, Default)]
pub(super) struct Filter {
    name: Option<String>,
    min_ram: i64,
    min_disk: i64,
    sort: String,
    descending: bool,
}

const SORT_KEYS: &[&str] = &[
    "created_at",
    "description",
    "disabled",
    "ephemeral_gb",
    "flavorid",
    "id",
    "is_public",
    "memory_mb",
    "name",
    "root_gb",
    "rxtx_factor",
    "swap",
    "updated_at",
    "vcpu_weight",
    "vcpus",
];

const QUERY: &[&str] = &["limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir", "name"];

pub(super) fn filter(ctx: &Ctx, params: &Params) -> Result<Filter> {
    // `name` is the last of them, and the newest.
    let known = if ctx.at_least(2, 102) { QUERY } else { &QUERY[..QUERY.len() - 1] };
    crate::query::only(ctx, params, known)?;
    let number = |key: &str| match params.get(key) {
        None => Ok(0),
        Some(text) => {
            text.parse::<i64>().map_err(|_| Error::bad_request(format!("Invalid {key} filter [{text}]")))
        }
    };
    let sort = params.get("sort_key").unwrap_or("flavorid");
    crate::query::one_of("sort_key", sort, SORT_KEYS)?;
    let direction = params.get("sort_dir").unwrap_or("asc");
    crate::query::one_of("sort_dir", direction, &["asc", "desc"])?;
    Ok(Filter {
        name: params.get("name").filter(|_| ctx.at_least(2, 102)).map(str::to_owned),
        min_ram: number("minRam")?,
        min_disk: number("minDisk")?,
        sort: sort.into(),
        descending: direction == "desc",
    })
}

/// Whose flavors: only an admin may say.
pub(super) fn seen<'a>(ctx: &'a Ctx, params: &Params) -> Result<Seen<'a>> {
    if !ctx.is_admin() {
        return Ok(ctx.project().map_or(Seen::All(Some(true)), |p| Seen::Project(&p.id)));
    }
    match params.get("is_public") {
        None => Ok(ctx.project().map_or(Seen::All(Some(true)), |p| Seen::Project(&p.id))),
        Some(text) if text.eq_ignore_ascii_case("none") => Ok(Seen::All(None)),
        Some(text) => params
            .flag("is_public")
            .map(|public| Seen::All(Some(public)))
            .ok_or_else(|| Error::bad_request(format!("Invalid is_public filter [{text}]"))),
    }
}

impl Filter {
    pub(super) fn apply(&self, mut flavors: Vec<Flavor>) -> Vec<Flavor> {
        flavors.retain(|f| {
            self.name.as_ref().is_none_or(|name| *name == f.name)
                && f.memory_mib >= self.min_ram
                && f.root_gib >= self.min_disk
        });
        flavors.sort_by(|a, b| {
            let order = self.compare(a, b);
            (if self.direction() == Direction::Descending { order.reverse() } else { order })
                .then_with(|| by_id(&a.id, &b.id))
        });
        flavors
    }

    fn direction(&self) -> Direction {
        if self.descending { Direction::Descending } else { Direction::Ascending }
    }

    fn compare(&self, a: &Flavor, b: &Flavor) -> Ordering {
        match self.sort.as_str() {
            "name" => a.name.cmp(&b.name),
            "description" => a.description.cmp(&b.description),
            "memory_mb" => a.memory_mib.cmp(&b.memory_mib),
            "root_gb" => a.root_gib.cmp(&b.root_gib),
            "ephemeral_gb" => a.ephemeral_gib.cmp(&b.ephemeral_gib),
            "swap" => a.swap_mib.cmp(&b.swap_mib),
            "vcpus" => a.vcpus.cmp(&b.vcpus),
            "is_public" => a.is_public.cmp(&b.is_public),
            "flavorid" | "id" => by_id(&a.id, &b.id),
            _ => Ordering::Equal,
        }
    }
}

/// As a database compares text.
fn by_id(a: &str, b: &str) -> Ordering {
    a.cmp(b)
}
