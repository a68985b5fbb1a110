//! Decisions about a provider's place in its tree.

use std::collections::HashSet;

use base::{Error, Result};

use super::store::ProviderRow;

/// Why a provider could not be made or changed, in Placement's words.
fn refused(words: &str, action: &str, reason: &str) -> Error {
    Error::bad_request(format!("{words}: Object action {action} failed because: {reason}"))
}

/// The root of a new provider.
pub fn root_of_new(uuid: &str, name: &str, parent: Option<&str>, all: &[ProviderRow]) -> Result<String> {
    let words = format!("Unable to create resource provider \"{name}\", {uuid}");
    let Some(parent) = parent else { return Ok(uuid.to_owned()) };
    if parent == uuid {
        return Err(refused(
            &words,
            "create",
            "parent provider UUID cannot be same as UUID. Please set parent provider UUID to None if there is no \
             parent.",
        ));
    }
    match all.iter().find(|p| p.uuid == parent) {
        Some(parent) => Ok(parent.root.clone()),
        None => Err(refused(&words, "create", "parent provider UUID does not exist.")),
    }
}

/// Puts `provider` under another parent; answers who moves to the new root with it.
pub fn reparent(
    provider: &mut ProviderRow,
    parent: Option<&str>,
    may_move: bool,
    all: &[ProviderRow],
) -> Result<Vec<String>> {
    let words = format!("Unable to save resource provider {}", provider.uuid);
    let no = |action: &str, reason: &str| Err(refused(&words, action, reason));
    let root = match parent {
        Some(parent) => {
            let Some(found) = all.iter().find(|p| p.uuid == parent) else {
                return no("create", "parent provider UUID does not exist.");
            };
            if !may_move && provider.parent.as_deref().is_some_and(|p| p != parent) {
                return no("update", "re-parenting a provider is not currently allowed.");
            }
            found.root.clone()
        }
        None if provider.parent.is_none() => return Ok(Vec::new()),
        None if !may_move => return no("update", "un-parenting a provider is not currently allowed."),
        None => provider.uuid.clone(),
    };
    let below = subtree(&provider.uuid, all);
    if parent.is_some_and(|p| below.contains(p)) {
        return no("update", "creating loop in the provider tree is not allowed.");
    }
    provider.parent = parent.map(Into::into);
    provider.root = root;
    Ok(below.into_iter().filter(|uuid| *uuid != provider.uuid).map(Into::into).collect())
}

/// A provider and everything under it.
fn subtree<'a>(uuid: &'a str, all: &'a [ProviderRow]) -> HashSet<&'a str> {
    let mut found = HashSet::from([uuid]);
    loop {
        let before = found.len();
        for p in all
            .iter()
            .filter(|p| p.parent.as_deref().is_some_and(|parent| found.contains(parent)))
            .collect::<Vec<_>>()
        {
            found.insert(&p.uuid);
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(uuid: &str, parent: Option<&str>, root: &str) -> ProviderRow {
        ProviderRow {
            uuid: uuid.into(),
            name: uuid.into(),
            generation: 0,
            parent: parent.map(Into::into),
            root: root.into(),
            updated_at: 0,
        }
    }

    #[test]
    fn trees_have_no_loops_and_move_whole() {
        let all =
            [row("a", None, "a"), row("b", Some("a"), "a"), row("c", Some("b"), "a"), row("x", None, "x")];
        assert_eq!(root_of_new("n", "n", Some("c"), &all).unwrap(), "a");
        assert!(root_of_new("n", "n", Some("n"), &all).is_err());
        assert!(root_of_new("n", "n", Some("gone"), &all).is_err());
        let mut b = all[1].clone();
        assert_eq!(reparent(&mut b, Some("x"), true, &all).unwrap(), ["c"]);
        assert_eq!((b.parent.as_deref(), &*b.root), (Some("x"), "x"));
        for (parent, may_move) in [(Some("c"), true), (Some("b"), true), (Some("x"), false), (None, false)] {
            assert!(reparent(&mut all[1].clone(), parent, may_move, &all).is_err(), "{parent:?}");
        }
        let mut b = all[1].clone();
        assert_eq!(reparent(&mut b, None, true, &all).unwrap(), ["c"]);
        assert_eq!((b.parent, &*b.root), (None, "b"));
    }
}
