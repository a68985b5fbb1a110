//! Versions, extensions, and what lists may be filtered by.

use std::sync::Arc;

use serde_json::{Value, json};
use web::{Origin, Params, Path, Result, Routes};

use crate::asker::Asker;
use crate::form::since;
use crate::{Cinder, SERVICE, policy};

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/", &policy::VERSIONS, all)
        .get("/v3", &policy::VERSIONS, v3)
        .get("/v3/extensions", &policy::ANYONE, extensions)
        .get("/v3/extensions/{alias}", &policy::ANYONE, extension)
        .get("/v3/resource_filters", &policy::ANYONE, filters)
}

fn document(origin: &str) -> Value {
    let versions = SERVICE.microversions.map(|(min, max)| (min.to_string(), max.to_string()));
    let (min, max) = versions.unwrap_or_default();
    json!({"versions": [{
        "id": "v3.0",
        "status": "CURRENT",
        "version": max,
        "min_version": min,
        "updated": "2022-04-20T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": format!("{origin}/volume/v3/")},
        ],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.volume+json;version=3",
        }],
    }]})
}

async fn all(Origin(origin): Origin) -> Result {
    Ok(web::json(300, &document(&origin)))
}

async fn v3(Origin(origin): Origin) -> Result {
    Ok(web::json(200, &document(&origin)))
}

/// (alias, name, updated): of the parts of the API that were extensions once, those that are served.
const EXTENSIONS: [(&str, &str, &str); 23] = [
    ("os-admin-actions", "AdminActions", "2012-08-25T00:00:00+00:00"),
    ("os-availability-zone", "AvailabilityZones", "2013-06-27T00:00:00+00:00"),
    ("backups", "Backups", "2012-12-12T00:00:00+00:00"),
    ("capabilities", "Capabilities", "2015-08-31T00:00:00+00:00"),
    ("os-extended-services", "ExtendedServices", "2014-01-10T00:00:00-00:00"),
    ("os-extended-snapshot-attributes", "ExtendedSnapshotAttributes", "2012-06-19T00:00:00+00:00"),
    ("os-hosts", "Hosts", "2011-06-29T00:00:00+00:00"),
    ("qos-specs", "Qos_specs_manage", "2013-08-02T00:00:00+00:00"),
    ("os-quota-class-sets", "QuotaClasses", "2012-03-12T00:00:00+00:00"),
    ("os-quota-sets", "Quotas", "2011-08-08T00:00:00+00:00"),
    ("OS-SCH-HNT", "SchedulerHints", "2013-04-18T00:00:00+00:00"),
    ("scheduler-stats", "Scheduler_stats", "2014-09-07T00:00:00+00:00"),
    ("os-services", "Services", "2012-10-28T00:00:00-00:00"),
    ("os-snapshot-actions", "SnapshotActions", "2013-07-16T00:00:00+00:00"),
    ("os-types-extra-specs", "TypesExtraSpecs", "2011-08-24T00:00:00+00:00"),
    ("os-types-manage", "TypesManage", "2011-08-24T00:00:00+00:00"),
    ("os-used-limits", "UsedLimits", "2013-10-03T00:00:00+00:00"),
    ("os-volume-actions", "VolumeActions", "2012-05-31T00:00:00+00:00"),
    ("os-volume-encryption-metadata", "VolumeEncryptionMetadata", "2013-07-10T00:00:00+00:00"),
    ("os-vol-image-meta", "VolumeImageMetadata", "2012-12-07T00:00:00+00:00"),
    ("os-volume-transfer", "VolumeTransfer", "2013-05-29T00:00:00+00:00"),
    ("os-volume-type-access", "VolumeTypeAccess", "2014-06-26T00:00:00Z"),
    ("encryption", "VolumeTypeEncryption", "2013-07-01T00:00:00+00:00"),
];

fn shown((alias, name, updated): &(&str, &str, &str)) -> Value {
    json!({"alias": alias, "name": name, "description": name, "updated": updated, "links": []})
}

async fn extensions(_: Asker) -> Result {
    Ok(web::json(200, &json!({"extensions": EXTENSIONS.iter().map(shown).collect::<Vec<_>>()})))
}

async fn extension(_: Asker, Path(alias): Path<String>) -> Result {
    let found = EXTENSIONS.iter().find(|(a, ..)| *a == alias);
    let found = found.ok_or_else(|| base::Error::not_found("The resource could not be found."))?;
    Ok(web::json(200, &json!({"extension": shown(found)})))
}

async fn filters(asker: Asker, params: Params) -> Result {
    since(&asker.ctx, 33)?;
    let all: [(&str, &[&str]); 7] = [
        (
            "volume",
            &[
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
            ],
        ),
        ("snapshot", &["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"]),
        ("backup", &["name", "status", "volume_id"]),
        ("attachment", &["volume_id", "status", "instance_id", "attach_status"]),
        ("message", &["resource_uuid", "resource_type", "event_id", "request_id", "message_level"]),
        ("pool", &["name", "volume_type"]),
        ("volume_type", &["is_public", "extra_specs"]),
    ];
    let rows: Vec<Value> = all
        .iter()
        .filter(|(resource, _)| params.get("resource").is_none_or(|wanted| wanted == *resource))
        .map(|(resource, filters)| json!({"resource": resource, "filters": filters}))
        .collect();
    Ok(web::json(200, &json!({ "resource_filters": rows })))
}
