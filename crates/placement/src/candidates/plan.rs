//! Where a request fits: a pure function of the request and of what is known of the providers.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Group, Request};
use crate::traits::SHARES;
use crate::world::{Known, World};

/// Positions in [`World::providers`].
pub type At = usize;

/// One way to serve the whole request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Candidate {
    pub resources: BTreeMap<(At, String), i64>,
    /// Which providers serve which group.
    pub mappings: BTreeMap<String, BTreeSet<At>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub candidates: Vec<Candidate>,
    /// Everyone in the trees of the candidates.
    pub summaries: Vec<At>,
}

/// One way to serve one group.
#[derive(Debug, Clone)]
struct Part {
    /// The root that holds it together with the other groups' parts.
    anchor: At,
    resources: Vec<(At, String, i64)>,
    providers: BTreeSet<At>,
}

/// Combinations looked at before the answer is what was found so far: a wide tree and many groups have billions.
const PATIENCE: usize = 100_000;

pub fn candidates(world: &World, request: &Request) -> Found {
    let plan = Plan::new(world, request);
    let mut parts: Vec<Vec<Part>> = Vec::new();
    for group in &request.groups {
        let found = if group.suffix.is_empty() { plan.spread(group) } else { plan.single(group) };
        if found.is_empty() {
            return Found::default();
        }
        parts.push(found);
    }
    plan.merge(&parts)
}

struct Plan<'a> {
    world: &'a World,
    request: &'a Request,
    roots: Vec<At>,
    parents: Vec<Option<At>>,
    sharing: BTreeSet<At>,
    has_trees: bool,
}

impl<'a> Plan<'a> {
    fn new(world: &'a World, request: &'a Request) -> Self {
        let own = |i: usize, uuid: &str| world.position(uuid).unwrap_or(i);
        let all = world.providers.iter().enumerate();
        Plan {
            world,
            request,
            roots: all.clone().map(|(i, p)| own(i, &p.row.root)).collect(),
            parents: all.clone().map(|(i, p)| p.row.parent.as_ref().map(|uuid| own(i, uuid))).collect(),
            sharing: all.filter(|(_, p)| p.traits.contains(SHARES)).map(|(i, _)| i).collect(),
            has_trees: world.providers.iter().any(|p| p.row.parent.is_some()),
        }
    }

    fn known(&self, at: At) -> Option<&'a Known> {
        self.world.providers.get(at)
    }

    fn root(&self, at: At) -> At {
        self.roots.get(at).copied().unwrap_or(at)
    }

    fn all(&self) -> impl Iterator<Item = (At, &'a Known)> {
        self.world.providers.iter().enumerate()
    }

    /// Roots that a sharing provider can be anchored at: of every tree with a member of one of its aggregates.
    fn anchors(&self, at: At) -> BTreeSet<At> {
        let Some(sharing) = self.known(at) else { return BTreeSet::new() };
        let related = self.all().filter(|(_, p)| !p.aggregates.is_disjoint(&sharing.aggregates));
        related.map(|(i, _)| self.root(i)).collect()
    }

    fn anchor_fits(&self, root: At) -> bool {
        self.known(root).is_some_and(|p| self.request.root.admits(&p.traits))
    }

    /// Is the provider, or its anchor, in what is asked, and neither in what is forbidden?
    fn member(&self, group: &Group, at: At, anchor: At) -> bool {
        let either =
            |test: &dyn Fn(&Known) -> bool| [at, anchor].iter().any(|i| self.known(*i).is_some_and(test));
        either(&|p| group.member_of.satisfied(&p.aggregates))
            && !either(&|p| !group.member_of.forbidden.is_disjoint(&p.aggregates))
    }

    fn in_tree(&self, group: &Group) -> Option<Option<At>> {
        match &group.in_tree {
            None => Some(None),
            Some(uuid) => self.world.position(uuid).map(|at| Some(self.root(at))),
        }
    }

    /// Ways to serve a group by any providers of a tree, and those that share with it.
    fn spread(&self, group: &Group) -> Vec<Part> {
        let Some(tree) = self.in_tree(group) else { return Vec::new() };
        let mut by_anchor: BTreeMap<At, Vec<Vec<At>>> = BTreeMap::new();
        for (n, (class, amount)) in group.resources.iter().enumerate() {
            for (at, _) in self.all().filter(|(_, p)| p.has_room(class, *amount)) {
                let mut anchors = BTreeSet::from([self.root(at)]);
                let shares = self.sharing.contains(&at)
                    && self.known(at).is_some_and(|p| group.member_of.satisfied(&p.aggregates));
                if shares && tree.is_none() {
                    anchors.extend(self.anchors(at));
                }
                for anchor in anchors {
                    let fits = tree.is_none_or(|root| root == anchor)
                        && self.anchor_fits(anchor)
                        && self.member(group, at, anchor);
                    if fits {
                        let choices = by_anchor
                            .entry(anchor)
                            .or_insert_with(|| vec![Vec::new(); group.resources.len()]);
                        if let Some(of_class) = choices.get_mut(n) {
                            of_class.push(at);
                        }
                    }
                }
            }
        }
        let mut parts = Vec::new();
        for (anchor, choices) in by_anchor {
            product(&choices, &mut |picked| {
                let known: Vec<&Known> = picked.iter().filter_map(|at| self.known(*at)).collect();
                let together: BTreeSet<String> =
                    known.iter().flat_map(|p| p.traits.iter().cloned()).collect();
                if known.iter().all(|p| group.traits.allowed(&p.traits)) && group.traits.satisfied(&together)
                {
                    let pairs = picked.iter().zip(&group.resources);
                    parts.push(Part {
                        anchor,
                        resources: pairs.map(|(at, (class, n))| (*at, class.clone(), *n)).collect(),
                        providers: picked.iter().copied().collect(),
                    });
                }
                parts.len() < PATIENCE
            });
        }
        parts
    }

    /// Ways to serve a group by one provider.
    fn single(&self, group: &Group) -> Vec<Part> {
        let Some(tree) = self.in_tree(group) else { return Vec::new() };
        let mut parts = Vec::new();
        for (at, p) in self.all() {
            let fits = group.resources.iter().all(|(class, n)| p.has_room(class, *n))
                && group.traits.admits(&p.traits)
                && group.member_of.admits(&p.aggregates)
                && tree.is_none_or(|root| root == self.root(at));
            if !fits {
                continue;
            }
            let mut anchors = BTreeSet::from([self.root(at)]);
            if self.sharing.contains(&at) {
                anchors.extend(self.anchors(at));
            }
            let resources: Vec<_> =
                group.resources.iter().map(|(class, n)| (at, class.clone(), *n)).collect();
            for anchor in anchors.into_iter().filter(|a| self.anchor_fits(*a)) {
                parts.push(Part { anchor, resources: resources.clone(), providers: BTreeSet::from([at]) });
            }
        }
        parts
    }

    /// One part of each group, all at the same anchor.
    fn merge(&self, parts: &[Vec<Part>]) -> Found {
        let anchors: BTreeSet<At> = parts.iter().flatten().map(|p| p.anchor).collect();
        let mut seen = HashSet::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut looked = 0;
        for anchor in anchors {
            let choices: Vec<Vec<&Part>> =
                parts.iter().map(|group| group.iter().filter(|p| p.anchor == anchor).collect()).collect();
            product(&choices, &mut |picked| {
                looked += 1;
                if let Some(candidate) = self.combine(picked)
                    && seen.insert(candidate.clone())
                {
                    candidates.push(candidate);
                }
                looked < PATIENCE
            });
        }
        self.finish(candidates)
    }

    fn combine(&self, picked: &[&Part]) -> Option<Candidate> {
        let groups = &self.request.groups;
        if self.request.isolate {
            let suffixed = picked.iter().zip(groups).filter(|(_, g)| !g.suffix.is_empty());
            let own: BTreeSet<At> = suffixed.clone().flat_map(|(p, _)| p.providers.iter().copied()).collect();
            if own.len() != suffixed.count() {
                return None;
            }
        }
        let mut candidate = Candidate { resources: BTreeMap::new(), mappings: BTreeMap::new() };
        for (part, group) in picked.iter().zip(groups) {
            for (at, class, n) in &part.resources {
                let sum = candidate.resources.entry((*at, class.clone())).or_default();
                *sum = sum.saturating_add(*n);
            }
            candidate.mappings.entry(group.suffix.clone()).or_default().extend(&part.providers);
        }
        let together = self.request.same_subtrees.iter().all(|suffixes| {
            let members: BTreeSet<At> =
                suffixes.iter().filter_map(|s| candidate.mappings.get(s)).flatten().copied().collect();
            self.one_subtree(&members)
        });
        let fits = candidate.resources.iter().all(|((at, class), n)| {
            self.known(*at)
                .and_then(|p| p.inventories.get(class))
                .is_some_and(|i| i.used.saturating_add(*n) as f64 <= i.capacity().floor() && *n <= i.max_unit)
        });
        (together && fits).then_some(candidate)
    }

    /// Are all members under one of them?
    fn one_subtree(&self, members: &BTreeSet<At>) -> bool {
        members.len() < 2
            || members.iter().any(|top| members.iter().all(|m| self.ancestry(*m).any(|a| a == *top)))
    }

    /// A provider, its parent, and so on to the root.
    fn ancestry(&self, at: At) -> impl Iterator<Item = At> {
        std::iter::successors(Some(at), |at| self.parents.get(*at).copied().flatten())
    }

    fn finish(&self, mut candidates: Vec<Candidate>) -> Found {
        let flat = !self.request.nested && self.has_trees;
        if flat {
            // A client that knows no trees takes one provider of each.
            candidates.retain(|c| {
                let used: BTreeSet<At> = c.resources.keys().map(|(at, _)| *at).collect();
                let roots: BTreeSet<At> = used.iter().map(|at| self.root(*at)).collect();
                used.len() == roots.len()
            });
        }
        if let Some(limit) = self.request.limit {
            candidates.truncate(limit);
        }
        let used: BTreeSet<At> =
            candidates.iter().flat_map(|c| c.resources.keys().map(|(at, _)| *at)).collect();
        let roots: BTreeSet<At> = used.iter().map(|at| self.root(*at)).collect();
        let summaries = self
            .all()
            .map(|(at, _)| at)
            .filter(|at| if flat { used.contains(at) } else { roots.contains(&self.root(*at)) })
            .collect();
        Found { candidates, summaries }
    }
}

/// Every way to pick one of each list, until `visit` has seen enough.
fn product<T: Copy>(lists: &[Vec<T>], visit: &mut dyn FnMut(&[T]) -> bool) {
    fn go<T: Copy>(lists: &[Vec<T>], picked: &mut Vec<T>, visit: &mut dyn FnMut(&[T]) -> bool) -> bool {
        let Some((first, rest)) = lists.split_first() else { return visit(picked) };
        for item in first {
            picked.push(*item);
            let more = go(rest, picked, visit);
            picked.pop();
            if !more {
                return false;
            }
        }
        true
    }
    go(lists, &mut Vec::new(), visit);
}
