//! What the rules of one network's namespace consist of, port by port, and what another plan changes of it.
//!
//! ```text
//!   nothing ── advance(plan) ─► Delta: all of it ──► the whole text
//!   plan A  ── advance(B)    ─► Delta: B without A ─► a few elements
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;

use super::element::{Element, Family, Part, Value};
use super::{anti_spoof, packets, security_group};
use crate::plan::{Direction, NetworkPlan, PortKind, PortPlan};

/// In a port's mark: it has no port security.
pub const FREE: u32 = 0x8000_0000;
/// In a port's mark: its rules judge answers, too.
pub const STATELESS: u32 = 0x4000_0000;
/// In a port's mark: what it sends gets a code point.
pub const MARKED: u32 = 0x2000_0000;

const DIRECTIONS: [Direction; 2] = [Direction::Egress, Direction::Ingress];

/// See the module's text.
#[derive(Debug, Default)]
pub struct Ruleset {
    ports: BTreeMap<String, Known>,
    groups: BTreeMap<String, Vec<IpNet>>,
    chains: HashMap<(Direction, Vec<String>), Chain>,
    chains_made: usize,
    /// Code points that have a chain. There are few, so those stay.
    code_points: BTreeSet<u8>,
    /// Packets are counted somewhere, or were: what leads to the counting stays.
    counts: bool,
    numbers_made: u32,
    /// Numbers of ports that are gone, to be given out again.
    free_numbers: BTreeSet<u32>,
}

#[derive(Debug)]
struct Known {
    plan: PortPlan,
    number: u32,
    /// Of a protected port: egress, ingress.
    chains: Option<[String; 2]>,
}

#[derive(Debug)]
struct Chain {
    name: String,
    ports: usize,
}

/// What has to happen in the namespace. Equal plans make an empty one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Name and rules, in order of making.
    pub new_chains: Vec<(String, Vec<String>)>,
    pub new_groups: Vec<String>,
    pub removed: Vec<Element>,
    pub added: Vec<Element>,
    pub old_chains: Vec<String>,
    pub old_groups: Vec<String>,
    /// The first port whose packets are counted has come: others do not pay for it before.
    pub counts: bool,
}

impl Delta {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Ruleset {
    /// From what it is to what `plan` wants. A port keeps its number for as long as it is there.
    pub fn advance(&mut self, plan: &NetworkPlan) -> Delta {
        let mut delta = Delta::default();
        // A port that is down has no mark, and a tap without one carries nothing.
        let wanted: BTreeMap<&str, &PortPlan> = plan
            .ports
            .iter()
            .filter(|port| port.kind == PortKind::Vm && port.admin_up)
            .map(|port| (port.id.as_str(), port))
            .collect();
        let changed = |known: &Known| wanted.get(known.plan.id.as_str()) != Some(&&known.plan);
        let stale: Vec<String> =
            self.ports.iter().filter(|(_, known)| changed(known)).map(|(id, _)| id.clone()).collect();
        let mut before = BTreeSet::new();
        let mut limits_before = BTreeSet::new();
        let mut numbers = HashMap::new();
        let mut abandoned = Vec::new();
        for id in stale {
            let Some(known) = self.ports.remove(&id) else { continue };
            before.extend(elements(&known));
            limits_before.extend(limits(&known));
            abandoned.extend(known.chains);
            if wanted.contains_key(id.as_str()) {
                numbers.insert(id, known.number);
            } else {
                self.free_numbers.insert(known.number);
            }
        }
        let mut after = BTreeSet::new();
        let mut limits_after = BTreeSet::new();
        for (id, port) in wanted {
            if self.ports.contains_key(id) {
                continue;
            }
            let number = numbers.get(id).copied().unwrap_or_else(|| self.next_number());
            let chains = port.port_security.then(|| {
                DIRECTIONS.map(|direction| {
                    self.enter(direction, security_group::rules(port, direction), &mut delta.new_chains)
                })
            });
            if let Some(code_point) = port.qos.dscp.filter(|code_point| self.code_points.insert(*code_point))
            {
                delta.new_chains.push(security_group::dscp(code_point));
            }
            let known = Known { plan: port.clone(), number, chains };
            after.extend(elements(&known));
            limits_after.extend(limits(&known));
            self.ports.insert(id.to_owned(), known);
        }
        for names in abandoned {
            for (direction, name) in DIRECTIONS.into_iter().zip(names) {
                self.leave(direction, &name, &mut delta);
            }
        }
        // A port's number may be another's by now, with the same limit.
        delta.new_chains.extend(limits_after.difference(&limits_before).cloned());
        delta.counts = !self.counts && !limits_after.is_empty();
        self.counts |= delta.counts;
        delta.old_chains.extend(limits_before.difference(&limits_after).map(|(name, _)| name.clone()));
        self.advance_groups(plan, &mut before, &mut after, &mut delta);
        delta.removed = before.difference(&after).cloned().collect();
        delta.added = after.difference(&before).cloned().collect();
        delta
    }

    fn next_number(&mut self) -> u32 {
        self.free_numbers.pop_first().unwrap_or_else(|| {
            self.numbers_made += 1;
            self.numbers_made
        })
    }

    /// The chain with these rules. Ports with equal rules share one.
    fn enter(
        &mut self,
        direction: Direction,
        rules: Vec<String>,
        new: &mut Vec<(String, Vec<String>)>,
    ) -> String {
        let made = &mut self.chains_made;
        let chain = self.chains.entry((direction, rules)).or_insert_with_key(|(_, rules)| {
            let name = format!("{}_{made}", security_group::name(direction));
            *made += 1;
            new.push((name.clone(), rules.clone()));
            Chain { name, ports: 0 }
        });
        chain.ports += 1;
        chain.name.clone()
    }

    fn leave(&mut self, direction: Direction, name: &str, delta: &mut Delta) {
        self.chains.retain(|(of, _), chain| {
            if *of != direction || chain.name != *name {
                return true;
            }
            chain.ports -= 1;
            if chain.ports == 0 {
                delta.old_chains.push(chain.name.clone());
            }
            chain.ports > 0
        });
    }

    fn advance_groups(
        &mut self,
        plan: &NetworkPlan,
        before: &mut BTreeSet<Element>,
        after: &mut BTreeSet<Element>,
        delta: &mut Delta,
    ) {
        for (id, members) in &plan.groups {
            let known = self.groups.get(id);
            if known == Some(members) {
                continue;
            }
            match known {
                Some(known) => before.extend(security_group::members(id, known)),
                None => delta.new_groups.push(id.clone()),
            }
            after.extend(security_group::members(id, members));
            self.groups.insert(id.clone(), members.clone());
        }
        // Its elements go with the set.
        delta.old_groups = self.groups.keys().filter(|id| !plan.groups.contains_key(*id)).cloned().collect();
        self.groups.retain(|id, _| plan.groups.contains_key(id));
    }
}

fn limits(known: &Known) -> impl Iterator<Item = (String, Vec<String>)> {
    DIRECTIONS.into_iter().filter_map(|direction| packets::chain(&known.plan, known.number, direction))
}

fn elements(known: &Known) -> Vec<Element> {
    let mut mark = match &known.plan {
        plan if !plan.port_security => known.number | FREE,
        plan if plan.stateless => known.number | STATELESS,
        _ => known.number,
    };
    if known.plan.qos.dscp.is_some() {
        mark |= MARKED;
    }
    let mut elements = Vec::new();
    anti_spoof::elements(&mut elements, &known.plan, mark);
    if let Some(code_point) = known.plan.qos.dscp {
        let (chain, _) = security_group::dscp(code_point);
        let key = vec![Part::Mark(mark)];
        elements.push(Element::new(Family::Inet, "dscp", key).to(Value::Jump(chain)));
    }
    for direction in DIRECTIONS {
        if let Some((chain, _)) = packets::chain(&known.plan, known.number, direction) {
            let element = Element::new(Family::Inet, packets::map(direction), vec![Part::Mark(mark)]);
            elements.push(element.to(Value::Jump(chain)));
        }
    }
    for (direction, chain) in DIRECTIONS.into_iter().zip(known.chains.iter().flatten()) {
        let map = security_group::name(direction);
        elements.push(Element::new(Family::Inet, map, vec![Part::Mark(mark)]).to(Value::Goto(chain.clone())));
    }
    elements
}
