//! Regions, services and endpoints as rows.

use base::Error;
use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::{Catalog, Endpoint, Region, ServiceEntry};
use crate::endpoint_filter;
use crate::errors::not_found;

impl FromRow for Region {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Region {
            id: row.text("id")?,
            parent_region_id: row.opt_text("parent_region_id")?,
            description: row.text("description")?,
            extra: row.json("extra")?,
        })
    }
}

impl FromRow for ServiceEntry {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(ServiceEntry {
            id: row.text("id")?,
            kind: row.text("type")?,
            enabled: row.bool("enabled")?,
            name: row.opt_text("name")?,
            description: row.opt_text("description")?,
            extra: row.json("extra")?,
        })
    }
}

impl FromRow for Endpoint {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Endpoint {
            id: row.text("id")?,
            service_id: row.text("service_id")?,
            region_id: row.opt_text("region_id")?,
            interface: row.text("interface")?,
            url: row.text("url")?,
            enabled: row.bool("enabled")?,
            extra: row.json("extra")?,
        })
    }
}

pub async fn catalog(conn: &mut AnyConnection) -> db::Result<Catalog> {
    let (services, endpoints) = (services(conn).await?, endpoints(conn).await?);
    let filters = endpoint_filter::rules::visible(
        endpoint_filter::store::single(conn).await?,
        endpoint_filter::store::grouped(conn).await?,
        &endpoint_filter::store::groups(conn).await?,
        &endpoints,
    );
    Ok(Catalog::new(services, endpoints, filters))
}

pub async fn regions(conn: &mut AnyConnection) -> db::Result<Vec<Region>> {
    sql("SELECT * FROM identity_region ORDER BY id").rows(conn).await
}

pub async fn region(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Region>> {
    sql("SELECT * FROM identity_region WHERE id = $1").bind(id).optional(conn).await
}

pub async fn require_region(conn: &mut AnyConnection, id: &str) -> Result<Region, Error> {
    region(conn, id).await?.ok_or_else(|| not_found("region", id))
}

pub async fn insert_region(conn: &mut AnyConnection, region: &Region) -> db::Result<()> {
    sql("INSERT INTO identity_region (id, parent_region_id, description, extra) VALUES ($1, $2, $3, $4)")
        .bind(region.id.as_str())
        .bind(region.parent_region_id.clone())
        .bind(region.description.as_str())
        .bind(json_text(&region.extra)?)
        .run(conn)
        .await?;
    Ok(())
}

pub async fn update_region(conn: &mut AnyConnection, region: &Region) -> db::Result<()> {
    sql("UPDATE identity_region SET parent_region_id = $1, description = $2, extra = $3 WHERE id = $4")
        .bind(region.parent_region_id.clone())
        .bind(region.description.as_str())
        .bind(json_text(&region.extra)?)
        .bind(region.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

pub async fn delete_region(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_policy_association WHERE region_id = $1").bind(id).run(conn).await?;
    sql("DELETE FROM identity_region WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}

pub async fn services(conn: &mut AnyConnection) -> db::Result<Vec<ServiceEntry>> {
    sql("SELECT * FROM identity_service ORDER BY type, name, id").rows(conn).await
}

pub async fn service(conn: &mut AnyConnection, id: &str) -> db::Result<Option<ServiceEntry>> {
    sql("SELECT * FROM identity_service WHERE id = $1").bind(id).optional(conn).await
}

pub async fn require_service(conn: &mut AnyConnection, id: &str) -> Result<ServiceEntry, Error> {
    service(conn, id).await?.ok_or_else(|| not_found("service", id))
}

pub async fn insert_service(conn: &mut AnyConnection, service: &ServiceEntry) -> db::Result<()> {
    sql("INSERT INTO identity_service (id, type, enabled, name, description, extra) \
         VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(service.id.as_str())
    .bind(service.kind.as_str())
    .bind(i64::from(service.enabled))
    .bind(service.name.clone())
    .bind(service.description.clone())
    .bind(json_text(&service.extra)?)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn update_service(conn: &mut AnyConnection, service: &ServiceEntry) -> db::Result<()> {
    sql("UPDATE identity_service SET type = $1, enabled = $2, name = $3, description = $4, extra = $5 \
         WHERE id = $6")
    .bind(service.kind.as_str())
    .bind(i64::from(service.enabled))
    .bind(service.name.clone())
    .bind(service.description.clone())
    .bind(json_text(&service.extra)?)
    .bind(service.id.as_str())
    .run(conn)
    .await?;
    Ok(())
}

/// With its endpoints, and the limits on what it offers.
pub async fn delete_service(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    for statement in [
        "DELETE FROM identity_project_endpoint WHERE endpoint_id IN \
         (SELECT id FROM identity_endpoint WHERE service_id = $1)",
        "DELETE FROM identity_policy_association WHERE endpoint_id IN \
         (SELECT id FROM identity_endpoint WHERE service_id = $1)",
        "DELETE FROM identity_policy_association WHERE service_id = $1",
        "DELETE FROM identity_limit WHERE registered_limit_id IN \
         (SELECT id FROM identity_registered_limit WHERE service_id = $1)",
        "DELETE FROM identity_registered_limit WHERE service_id = $1",
        "DELETE FROM identity_endpoint WHERE service_id = $1",
        "DELETE FROM identity_service WHERE id = $1",
    ] {
        sql(statement).bind(id).run(conn).await?;
    }
    Ok(())
}

pub async fn endpoints(conn: &mut AnyConnection) -> db::Result<Vec<Endpoint>> {
    sql("SELECT * FROM identity_endpoint ORDER BY service_id, interface, region_id, id").rows(conn).await
}

pub async fn endpoint(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Endpoint>> {
    sql("SELECT * FROM identity_endpoint WHERE id = $1").bind(id).optional(conn).await
}

pub async fn require_endpoint(conn: &mut AnyConnection, id: &str) -> Result<Endpoint, Error> {
    endpoint(conn, id).await?.ok_or_else(|| not_found("endpoint", id))
}

pub async fn insert_endpoint(conn: &mut AnyConnection, endpoint: &Endpoint) -> db::Result<()> {
    sql("INSERT INTO identity_endpoint (id, service_id, region_id, interface, url, enabled, extra) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(endpoint.id.as_str())
    .bind(endpoint.service_id.as_str())
    .bind(endpoint.region_id.clone())
    .bind(endpoint.interface.as_str())
    .bind(endpoint.url.as_str())
    .bind(i64::from(endpoint.enabled))
    .bind(json_text(&endpoint.extra)?)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn update_endpoint(conn: &mut AnyConnection, endpoint: &Endpoint) -> db::Result<()> {
    sql("UPDATE identity_endpoint SET service_id = $1, region_id = $2, interface = $3, url = $4, enabled = $5, \
         extra = $6 WHERE id = $7")
    .bind(endpoint.service_id.as_str())
    .bind(endpoint.region_id.clone())
    .bind(endpoint.interface.as_str())
    .bind(endpoint.url.as_str())
    .bind(i64::from(endpoint.enabled))
    .bind(json_text(&endpoint.extra)?)
    .bind(endpoint.id.as_str())
    .run(conn)
    .await?;
    Ok(())
}

pub async fn delete_endpoint(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    for statement in [
        "DELETE FROM identity_project_endpoint WHERE endpoint_id = $1",
        "DELETE FROM identity_policy_association WHERE endpoint_id = $1",
        "DELETE FROM identity_endpoint WHERE id = $1",
    ] {
        sql(statement).bind(id).run(conn).await?;
    }
    Ok(())
}
