use async_trait::async_trait;
use base::{Ctx, Result};
use db::{AnyConnection, Tx};
use serde_json::{Value, json};

use super::{SPEC, SubnetPool, rules, store};
use crate::request::{Input, Ordinary, Resource, Spec, View};
use crate::rows::Columns;
use crate::standard::Standard;
use crate::{Neutron, rbac};

#[async_trait]
impl Resource for SubnetPool {
    const SPEC: &'static Spec = &SPEC;
    const RBAC: Option<&'static str> = Some("subnetpool");

    async fn views(_: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let granted = rbac::store::granted(conn, ctx, "subnetpool").await?;
        Ok(rows.iter().map(|p| view(p, p.shared || granted.contains(&p.standard.id))).collect())
    }
}

/// `shared`: with the caller's project.
fn view(pool: &SubnetPool, shared: bool) -> View {
    let text = |t: &str| if t.is_empty() { Value::Null } else { json!(t) };
    let mut view = pool.standard.open();
    let prefixes: Vec<String> = pool.prefixes.iter().map(ToString::to_string).collect();
    view.insert("prefixes".into(), json!(prefixes));
    view.insert("ip_version".into(), json!(pool.ip_version));
    // As texts: so Neutron has them, and clients read numbers out of them.
    view.insert("default_prefixlen".into(), json!(pool.default_prefixlen.to_string()));
    view.insert("min_prefixlen".into(), json!(pool.min_prefixlen.to_string()));
    view.insert("max_prefixlen".into(), json!(pool.max_prefixlen.to_string()));
    view.insert("default_quota".into(), json!(pool.default_quota));
    view.insert("address_scope_id".into(), text(&pool.address_scope_id));
    view.insert("is_default".into(), json!(pool.is_default));
    view.insert("shared".into(), json!(shared));
    pool.standard.close(&mut view);
    view
}

#[async_trait]
impl Ordinary for SubnetPool {
    const EVENTS: [&'static str; 3] = ["subnetpool.create", "subnetpool.update", "subnetpool.delete"];
    const QUOTA: Option<&'static str> = Some("subnetpool");

    fn standard(&self) -> &Standard {
        &self.standard
    }

    fn columns(&self) -> Columns {
        self.all_columns()
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn new(ctx: &Ctx, input: &Input) -> Result<Self> {
        rules::create(ctx, input)
    }

    fn apply(&mut self, input: &Input) -> Result<()> {
        rules::apply(self, input)
    }

    async fn check(&self, tx: &mut Tx, ctx: &Ctx, before: Option<&Self>) -> Result<()> {
        store::check(tx, ctx, before, self).await
    }

    async fn check_unused(&self, tx: &mut Tx) -> Result<()> {
        store::check_unused(tx, self).await
    }
}
