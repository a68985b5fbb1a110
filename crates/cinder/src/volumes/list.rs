//! Lists of volumes: which of them, by whose filters.

use base::{Ctx, Error, Result};
use web::Params;

use super::{Volume, store};
use crate::Cinder;
use crate::listing::{Listing, PAGING};
use crate::{policy, values};

pub struct Found {
    pub page: Vec<Volume>,
    /// Of all that the filters let through.
    pub count: usize,
}

/// A page of what `ctx` may list.
pub async fn page(cinder: &Cinder, ctx: &Ctx, params: &Params, listing: &Listing) -> Result<Found> {
    ctx.authorize(&policy::LIST, None)?;
    let project = scope(ctx, params)?;
    let mut conn = cinder.db.read().await?;
    if let Some(project) = project
        && params.keys().all(|key| key == "limit")
    {
        let page = store::newest(&mut conn, project, listing.limit).await?;
        return Ok(Found { count: page.len(), page });
    }
    let filters = Filters::read(ctx, params)?;
    let all = store::list(&mut conn, project).await?;
    drop(conn);
    let kept: Vec<Volume> = all.into_iter().filter(|volume| filters.keep(volume)).collect();
    Ok(Found { count: kept.len(), page: listing.page(kept)? })
}

/// The project whose things are listed; None: all projects', which only an admin may ask for.
pub fn scope<'a>(ctx: &'a Ctx, params: &Params) -> Result<Option<&'a str>> {
    let all = ["all_tenants", "all_projects"].iter().any(|key| params.flag(key).unwrap_or(false));
    ctx.list_scope(all || params.has("project_id") && ctx.is_admin())
}

pub struct Filters(Vec<(String, String)>);

/// What anybody may filter by; an admin may by anything that a volume has.
const KNOWN: [&str; 11] = [
    "name",
    "status",
    "metadata",
    "bootable",
    "migration_status",
    "availability_zone",
    "group_id",
    "size",
    "created_at",
    "updated_at",
    "consumes_quota",
];

impl Filters {
    pub fn read(ctx: &Ctx, params: &Params) -> Result<Filters> {
        let mut kept = Vec::new();
        for (key, value) in params.pairs() {
            if PAGING.contains(&key.as_str()) || matches!(key.as_str(), "all_tenants" | "all_projects") {
                continue;
            }
            let plain = key.trim_end_matches('~');
            let known = KNOWN.contains(&plain) && (plain == key || ctx.at_least(3, 34));
            if !known && !ctx.is_admin() {
                if ctx.at_least(3, 31) {
                    return Err(Error::bad_request(format!(
                        "Invalid filters {key} are found in query options."
                    )));
                }
                continue;
            }
            if plain == "bootable" && ctx.at_least(3, 2) && values::boolean(value).is_none() {
                return Err(Error::bad_request(format!("Invalid input received: '{key} = {value}'")));
            }
            if matches!(plain, "created_at" | "updated_at") {
                if !ctx.at_least(3, 60) {
                    continue;
                }
                instants(plain, value)?;
            }
            if plain == "group_id" && !ctx.at_least(3, 10)
                || plain == "consumes_quota" && !ctx.at_least(3, 65)
            {
                continue;
            }
            kept.push((key.clone(), value.clone()));
        }
        Ok(Filters(kept))
    }

    pub fn keep(&self, volume: &Volume) -> bool {
        self.0.iter().all(|(key, value)| matches(volume, key, value))
    }
}

fn matches(volume: &Volume, key: &str, value: &str) -> bool {
    let like = |text: &str| text.to_lowercase().contains(&value.to_lowercase());
    let boolean = |is: bool| values::boolean(value).unwrap_or(true) == is;
    match key {
        "id" => volume.id == value,
        "name" | "display_name" => volume.name.as_deref().unwrap_or_default() == value,
        "name~" | "display_name~" => volume.name.as_deref().is_some_and(like),
        "group_id" => volume.group_id.as_deref() == Some(value),
        "status" => volume.status.as_str() == value,
        "status~" => like(volume.status.as_str()),
        "size" => value.parse() == Ok(volume.size),
        "bootable" => boolean(volume.bootable),
        "multiattach" => boolean(volume.multiattach),
        "availability_zone" => volume.availability_zone == value,
        "availability_zone~" => like(&volume.availability_zone),
        "project_id" => volume.project_id == value,
        "user_id" => volume.user_id == value,
        "volume_type_id" => volume.type_id == value,
        "snapshot_id" => volume.snapshot_id.as_deref() == Some(value),
        "source_volid" => volume.source_volid.as_deref() == Some(value),
        "migration_status" => volume.migration_status.as_deref() == Some(value),
        "group_id~" => volume.group_id.as_deref().is_some_and(like),
        "consumes_quota" => boolean(true),
        "metadata" => values::pairs(value).iter().all(|(k, v)| volume.metadata.get(k) == Some(v)),
        "glance_metadata" => {
            values::pairs(value).iter().all(|(k, v)| volume.image_metadata.get(k) == Some(v))
        }
        "created_at" => in_time(value, Some(volume.created_at)),
        "updated_at" => in_time(value, volume.updated_at),
        // Cinder finds nothing by what volumes do not have.
        "host" => true,
        _ => false,
    }
}

/// `gt:2026-01-01T00:00:00,lt:..`
fn instants(key: &str, value: &str) -> Result<Vec<(String, i64)>> {
    let one = |unit: &str| {
        let (operator, time) =
            unit.split_once(':').ok_or_else(|| Error::bad_request(format!("Invalid {key} value")))?;
        if !["gt", "lt", "eq", "neq", "gte", "lte"].contains(&operator) {
            return Err(Error::bad_request(format!("Invalid {operator} operator")));
        }
        let time =
            base::time::parse(time).ok_or_else(|| Error::bad_request(format!("Invalid {time} value")))?;
        Ok((operator.to_owned(), time))
    };
    value.split(',').map(one).collect()
}

fn in_time(value: &str, at: Option<i64>) -> bool {
    let Some(at) = at else { return false };
    instants("time", value).unwrap_or_default().iter().all(|(operator, time)| match operator.as_str() {
        "gt" => at > *time,
        "lt" => at < *time,
        "gte" => at >= *time,
        "lte" => at <= *time,
        "neq" => at != *time,
        _ => at == *time,
    })
}
