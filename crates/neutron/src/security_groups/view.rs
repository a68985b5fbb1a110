use async_trait::async_trait;
use base::{Ctx, Result};
use db::AnyConnection;
use serde_json::{Map, Value, json};
use web::Params;

use super::{SPEC, SecurityGroup, store};
use crate::request::{Resource, Spec, View};
use crate::security_group_rules::{self as rules, Rule};
use crate::{Neutron, rbac};

#[async_trait]
impl Resource for SecurityGroup {
    const SPEC: &'static Spec = &SPEC;
    const RBAC: Option<&'static str> = Some("security_group");

    /// A project sees its default group even before anything needed it.
    async fn before_list(app: &Neutron, ctx: &Ctx, params: &Params) -> Result<()> {
        let asked = params.get("project_id").or_else(|| params.get("tenant_id")).filter(|_| ctx.is_admin());
        let Some(project) = asked.or_else(|| ctx.project().map(|p| p.id.as_str())) else { return Ok(()) };
        let mut conn = app.db.read().await?;
        if store::default_of(&mut conn, project).await?.is_some() {
            return Ok(());
        }
        drop(conn);
        let made: Result<String> = db::write!(app.db, |tx| store::default_group(tx, ctx, project).await);
        made.map(|_| ())
    }

    async fn views(_: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let rules = store::rules_of(conn, &rows).await?;
        let granted = rbac::store::granted(conn, ctx, "security_group").await?;
        Ok(rows
            .iter()
            .map(|g| {
                let id = &g.standard.id;
                view(g, rules.get(id).map_or(&[], Vec::as_slice), g.shared || granted.contains(id))
            })
            .collect())
    }
}

/// `shared`: with the caller's project.
fn view(group: &SecurityGroup, of_group: &[Rule], shared: bool) -> Map<String, Value> {
    let mut view = group.standard.open();
    let rules: Vec<Value> =
        of_group.iter().map(|r| Value::Object(rules::view::view(r, group.is_default))).collect();
    view.insert("security_group_rules".into(), Value::Array(rules));
    view.insert("stateful".into(), json!(group.stateful));
    view.insert("shared".into(), json!(shared));
    group.standard.close(&mut view);
    view
}
