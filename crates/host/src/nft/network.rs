//! The rules of one network's namespace, whole and as changes.

use std::collections::BTreeMap;

use super::element::{Element, Family};
use super::load::run;
use super::ruleset::{Delta, Ruleset};
use super::{TABLE, Text, anti_spoof, batch, packets, security_group};
use crate::plan::NetworkPlan;
use crate::{Result, nfnetlink};

/// The rules that this process put into a network's namespace.
#[derive(Debug, Default)]
pub struct Rules(Option<(Ruleset, u32)>);

/// What loading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing had to be done.
    Same,
    /// Some changed, or all were loaded for the first time.
    Changed,
    /// Somebody had changed them behind our back: anything may have passed.
    Restored,
}

impl Rules {
    /// Makes the rules those of `plan`, in one transaction. In the namespace of the calling thread.
    pub fn load(&mut self, plan: &NetworkPlan) -> Result<Outcome> {
        let mut outcome = Outcome::Changed;
        if let Some((mut ruleset, generation)) = self.0.take() {
            if nfnetlink::ruleset_generation()? == generation {
                let delta = ruleset.advance(plan);
                if delta.is_empty() {
                    self.0 = Some((ruleset, generation));
                    return Ok(Outcome::Same);
                }
                match change(&delta, generation) {
                    Ok(generation) => {
                        self.0 = Some((ruleset, generation));
                        return Ok(Outcome::Changed);
                    }
                    Err(error) => tracing::warn!(
                        network = plan.id,
                        %error,
                        "the rules could not be changed; loading all of them"
                    ),
                }
            } else {
                tracing::warn!(network = plan.id, "somebody changed the rules: loading them again");
            }
            outcome = Outcome::Restored;
        }
        let mut ruleset = Ruleset::default();
        run(&whole(&ruleset.advance(plan)))?;
        self.0 = Some((ruleset, nfnetlink::ruleset_generation()?));
        Ok(outcome)
    }
}

/// The generation afterwards.
fn change(delta: &Delta, generation: u32) -> Result<u32> {
    let elements = delta.removed.iter().chain(&delta.added);
    let small = delta.new_chains.is_empty()
        && delta.new_groups.is_empty()
        && delta.old_groups.is_empty()
        && elements.clone().all(Element::is_plain)
        && elements.count() <= batch::MOST;
    if !small {
        run(&changes(delta))?;
        return nfnetlink::ruleset_generation();
    }
    batch::apply(generation, &delta.removed, &delta.added, &delta.old_chains)
        .map_err(|error| crate::Error::Link(format!("cannot change the rules: {error}")))?;
    // As the kernel counts: zero is left out.
    Ok(generation.checked_add(1).unwrap_or(1))
}

/// The whole ruleset, in place of whatever is there.
#[must_use]
pub fn render(plan: &NetworkPlan) -> String {
    whole(&Ruleset::default().advance(plan))
}

/// What turns the rules of one plan into those of another.
#[must_use]
pub fn render_changes(before: &NetworkPlan, after: &NetworkPlan) -> String {
    let mut ruleset = Ruleset::default();
    ruleset.advance(before);
    changes(&ruleset.advance(after))
}

fn whole(delta: &Delta) -> String {
    let mut elements: BTreeMap<(Family, String), Vec<String>> = BTreeMap::new();
    for element in &delta.added {
        elements.entry((element.set.family, element.set.name.to_string())).or_default().push(element.text());
    }
    let of = |family, name: &str| elements.get(&(family, name.to_owned())).map_or(&[][..], Vec::as_slice);
    let mut text = Text::default();
    text.replace_table("bridge", TABLE, |text| {
        for (head, kind) in anti_spoof::SETS {
            let name = head.split(' ').next_back().unwrap_or(head);
            text.elements(head, kind, of(Family::Bridge, name));
        }
        anti_spoof::chains(text);
    });
    text.replace_table("inet", TABLE, |text| {
        security_group::always(text);
        for (name, kind) in delta.new_groups.iter().flat_map(|group| security_group::set_types(group)) {
            text.elements(&format!("set {name}"), kind, of(Family::Inet, &name));
        }
        for (name, rules) in &delta.new_chains {
            security_group::chain(text, name, rules);
        }
        for map in ["dscp", "egress", "ingress", "packets_egress", "packets_ingress"] {
            text.elements(&format!("map {map}"), "type mark : verdict", of(Family::Inet, map));
        }
        security_group::hooks(text);
        if delta.counts {
            packets::hooks(text);
        }
    });
    text.out
}

fn changes(delta: &Delta) -> String {
    let mut text = Text::default();
    for (name, kind) in delta.new_groups.iter().flat_map(|group| security_group::set_types(group)) {
        text.line(format!("add set inet {TABLE} {name} {{ {kind}; }}"));
    }
    for (name, rules) in &delta.new_chains {
        text.line(format!("add chain inet {TABLE} {name}"));
        for rule in security_group::statements(name, rules) {
            text.line(format!("add rule inet {TABLE} {name} {rule}"));
        }
    }
    if delta.counts {
        text.block(format!("table inet {TABLE}"), packets::hooks);
    }
    for (verb, elements) in [("delete", &delta.removed), ("add", &delta.added)] {
        for element in elements {
            let set = &element.set;
            let what = if verb == "delete" { element.key_text() } else { element.text() };
            text.line(format!("{verb} element {} {TABLE} {} {{ {what} }}", set.family.name(), set.name));
        }
    }
    for chain in &delta.old_chains {
        text.line(format!("flush chain inet {TABLE} {chain}"));
        text.line(format!("delete chain inet {TABLE} {chain}"));
    }
    for (name, _) in delta.old_groups.iter().flat_map(|group| security_group::set_types(group)) {
        text.line(format!("delete set inet {TABLE} {name}"));
    }
    text.out
}
