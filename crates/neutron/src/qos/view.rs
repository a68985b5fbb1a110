use async_trait::async_trait;
use base::{Ctx, Result, Rule};
use db::{AnyConnection, Tx};
use serde_json::{Value, json};

use super::{QosPolicy, SPEC, store};
use crate::plane::Wakes;
use crate::request::{Input, Ordinary, Resource, Spec, View};
use crate::rows::Columns;
use crate::standard::Standard;
use crate::{Neutron, rbac};

#[async_trait]
impl Resource for QosPolicy {
    const SPEC: &'static Spec = &SPEC;
    const RBAC: Option<&'static str> = Some("qos_policy");
    const ANY_MARKER: bool = true;

    async fn views(_: &Neutron, conn: &mut AnyConnection, ctx: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let granted = rbac::store::granted(conn, ctx, "qos_policy").await?;
        let rules = store::rules_of(conn, &rows).await?;
        let view = |policy: &QosPolicy| {
            let s = &policy.standard;
            let rules: Vec<Value> = rules
                .get(&s.id)
                .into_iter()
                .flatten()
                .map(|rule| {
                    let mut view = rule.view();
                    view.insert("type".into(), json!(rule.kind));
                    Value::Object(view)
                })
                .collect();
            let mut view = s.open();
            view.insert("shared".into(), json!(policy.shared || granted.contains(&s.id)));
            view.insert("is_default".into(), json!(policy.is_default));
            view.insert("rules".into(), Value::Array(rules));
            s.close(&mut view);
            view
        };
        Ok(rows.iter().map(view).collect())
    }
}

#[async_trait]
impl Ordinary for QosPolicy {
    const EVENTS: [&'static str; 3] = ["qos_policy.create", "qos_policy.update", "qos_policy.delete"];
    const WRITERS: Rule = Rule::ProjectManager;

    fn standard(&self) -> &Standard {
        &self.standard
    }

    fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([("shared", self.shared.into()), ("is_default", self.is_default.into())]);
        columns
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn new(ctx: &Ctx, input: &Input) -> Result<Self> {
        Ok(QosPolicy {
            standard: Standard::of(&input.owner(ctx)?, input),
            shared: input.flag("shared").unwrap_or(false),
            is_default: input.flag("is_default").unwrap_or(false),
        })
    }

    fn apply(&mut self, input: &Input) -> Result<()> {
        self.shared = input.flag("shared").unwrap_or(self.shared);
        self.is_default = input.flag("is_default").unwrap_or(self.is_default);
        self.standard.apply(input);
        Ok(())
    }

    async fn check(&self, tx: &mut Tx, _: &Ctx, before: Option<&Self>) -> Result<()> {
        store::check_default(tx, before, self).await
    }

    async fn check_unused(&self, tx: &mut Tx) -> Result<()> {
        store::check_unused(tx, &self.standard.id).await
    }

    async fn wakes(&self, tx: &mut Tx) -> Result<Wakes> {
        store::wakes(tx, &self.standard.id).await
    }
}
