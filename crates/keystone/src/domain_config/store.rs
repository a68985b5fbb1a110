//! Settings of domains as rows.

use db::{AnyConnection, FromRow, Row, sql};

use super::DomainOption;

impl FromRow for DomainOption {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(DomainOption {
            group: row.text("group_name")?,
            name: row.text("option_name")?,
            sensitive: row.bool("sensitive")?,
            value: row.json("value")?,
        })
    }
}

pub async fn of_domain(conn: &mut AnyConnection, domain_id: &str) -> db::Result<Vec<DomainOption>> {
    sql("SELECT * FROM identity_domain_option WHERE domain_id = $1 ORDER BY group_name, option_name")
        .bind(domain_id)
        .rows(conn)
        .await
}

pub async fn put(conn: &mut AnyConnection, domain_id: &str, option: &DomainOption) -> db::Result<()> {
    sql("INSERT INTO identity_domain_option (domain_id, group_name, option_name, sensitive, value) \
         VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (domain_id, group_name, option_name) DO UPDATE SET value = excluded.value")
    .bind(domain_id)
    .bind(option.group.as_str())
    .bind(option.name.as_str())
    .bind(i64::from(option.sensitive))
    .bind(option.value.to_string())
    .run(conn)
    .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, domain_id: &str, option: &DomainOption) -> db::Result<()> {
    sql("DELETE FROM identity_domain_option WHERE domain_id = $1 AND group_name = $2 AND option_name = $3")
        .bind(domain_id)
        .bind(option.group.as_str())
        .bind(option.name.as_str())
        .run(conn)
        .await?;
    Ok(())
}

pub async fn clear(conn: &mut AnyConnection, domain_id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_domain_option WHERE domain_id = $1").bind(domain_id).run(conn).await?;
    Ok(())
}
