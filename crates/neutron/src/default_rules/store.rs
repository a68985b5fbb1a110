use base::{Ctx, Result};
use db::{Event, Tx};

use super::{DefaultRule, PARENT, SPEC, view};
use crate::fault;
use crate::rows::{self, Where};
use crate::security_group_rules::{Rule, rules};
use crate::security_groups::SecurityGroup;

/// The first rules of a new group.
pub async fn for_group(tx: &mut Tx, group: &SecurityGroup) -> Result<Vec<Rule>> {
    let column = if group.is_default { "used_in_default_sg" } else { "used_in_non_default_sg" };
    let templates: Vec<DefaultRule> = Where::of(column, 1).rows(tx, SPEC.table).await?;
    let s = &group.standard;
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Ok(templates
        .iter()
        .map(|t| {
            let mut rule = rules::rule(&s.project_id, &s.id, &t.direction, &t.ethertype);
            rule.protocol.clone_from(&t.protocol);
            (rule.port_min, rule.port_max) = (t.port_min, t.port_max);
            rule.remote_prefix.clone_from(&t.remote_prefix);
            rule.remote_group =
                if t.remote_group == PARENT { Some(s.id.clone()) } else { some(&t.remote_group) };
            rule.remote_address_group = some(&t.remote_address_group);
            rule
        })
        .collect())
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, rule: &DefaultRule) -> Result<()> {
    let all: Vec<DefaultRule> = Where::default().rows(tx, SPEC.table).await?;
    // What a rule says, without what it is called and where it is used.
    let said = |rule: &DefaultRule| {
        let mut view = view(rule);
        for name in ["id", "description", "used_in_default_sg", "used_in_non_default_sg"] {
            view.remove(name);
        }
        view
    };
    let together =
        |other: &DefaultRule| (other.in_default && rule.in_default) || (other.in_others && rule.in_others);
    if let Some(same) = all.iter().find(|other| together(other) && said(other) == said(rule)) {
        return Err(fault::conflict(
            "DefaultSecurityGroupRuleExists",
            format!("Default Security group rule already exists. Rule id is {}.", same.id),
        ));
    }
    rows::insert(tx, SPEC.table, &rule.id, rule.columns()).await?;
    tx.event(Event::new("network", "default_security_group_rule.create", &rule.id, "", ctx)).await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, rule: &DefaultRule) -> Result<()> {
    rows::delete(tx, SPEC.table, &rule.id).await?;
    tx.event(Event::new("network", "default_security_group_rule.delete", &rule.id, "", ctx)).await?;
    Ok(())
}
