//! Allocation candidates: where a request for resources would fit now.
//!
//! ```text
//! query string ─► query::parse ─► Request ─┐
//!                                          ├─► plan::candidates ─► view
//! four SELECTs ─► world::load ───► World ──┘
//! ```
//!
//! A request is made of groups. Each suffixed group is served by one provider; the group without a suffix may be spread
//! over a tree of providers and those that share with it. All of a candidate's providers hang together at one anchor:
//! the root of a tree.

pub mod api;
pub mod plan;
pub mod query;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;

/// One of `required`'s, or of `root_required`'s: each set of the list needs one of its traits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    pub required: Vec<BTreeSet<String>>,
    pub forbidden: BTreeSet<String>,
}

impl Traits {
    pub fn admits(&self, has: &BTreeSet<String>) -> bool {
        self.satisfied(has) && self.allowed(has)
    }

    pub fn satisfied(&self, has: &BTreeSet<String>) -> bool {
        self.required.iter().all(|any| !any.is_disjoint(has))
    }

    pub fn allowed(&self, has: &BTreeSet<String>) -> bool {
        self.forbidden.is_disjoint(has)
    }

    pub fn unknown(&self, known: &BTreeSet<String>) -> Vec<String> {
        let all: BTreeSet<&String> = self.required.iter().flatten().chain(&self.forbidden).collect();
        all.into_iter().filter(|t| !known.contains(*t)).cloned().collect()
    }
}

/// One of `member_of`'s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberOf {
    pub required: Vec<BTreeSet<String>>,
    pub forbidden: BTreeSet<String>,
}

impl MemberOf {
    pub fn admits(&self, of: &BTreeSet<String>) -> bool {
        self.satisfied(of) && self.forbidden.is_disjoint(of)
    }

    pub fn satisfied(&self, of: &BTreeSet<String>) -> bool {
        self.required.iter().all(|any| !any.is_disjoint(of))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Empty: the group that may be spread.
    pub suffix: String,
    pub resources: Vec<(String, i64)>,
    pub traits: Traits,
    pub member_of: MemberOf,
    /// Of any provider of the tree.
    pub in_tree: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    pub groups: Vec<Group>,
    pub limit: Option<usize>,
    /// Each suffixed group on a provider of its own.
    pub isolate: bool,
    /// What the anchor must be like.
    pub root: Traits,
    /// Suffixes of groups whose providers must be under one of them.
    pub same_subtrees: Vec<BTreeSet<String>>,
    /// Since 1.29; before, a client knows no trees, and a candidate takes one provider of each.
    pub nested: bool,
}
