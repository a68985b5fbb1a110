//! What becomes of members.

use std::collections::HashSet;

use base::Result;

use crate::fault;
use crate::request::{Fields, Look};
use crate::tree::{NO_MONITOR, Node, Noun, OFFLINE};

pub fn new(pool: &Node, monitored: bool, fields: Fields) -> Node {
    let mut node = Node::new(Noun::Member, &pool.project_id, &pool.balancer_id, &pool.id, fields);
    node.operating = if monitored { OFFLINE } else { NO_MONITOR }.into();
    node
}

/// Where machines ask for their metadata, whatever network they are on.
const RESERVED: &str = "169.254.169.254";

/// 400 for an address that cannot be a member's.
pub fn check_address(fields: &Fields) -> Result<()> {
    match fields.text("address") {
        RESERVED => Err(fault::invalid_option(RESERVED, "member address")),
        _ => Ok(()),
    }
}

/// A whole pool's members as one request wants them.
#[derive(Debug, Default)]
pub struct Batch {
    pub added: Vec<Fields>,
    pub changed: Vec<(Node, Fields)>,
    pub removed: Vec<Node>,
}

fn key(fields: &Fields) -> (String, Option<i64>) {
    (fields.text("address").to_owned(), fields.number("protocol_port"))
}

/// Members are the same when address and port are. `additive`: those that are not spoken of stay.
pub fn batch(before: &[&Node], wanted: &[Fields], additive: bool) -> Result<Batch> {
    let mut batch = Batch::default();
    let mut seen = HashSet::new();
    for fields in wanted {
        let known = before.iter().find(|node| key(&node.fields) == key(fields));
        let again = !seen.insert(key(fields));
        match known {
            Some(_) if again => {
                return Err(fault::invalid("Member must be updated only once in the same request."));
            }
            Some(node) => batch.changed.push(((*node).clone(), fields.clone())),
            None => {
                check_address(fields)?;
                batch.added.push(fields.clone());
            }
        }
    }
    if !additive {
        batch.removed = before
            .iter()
            .filter(|node| !seen.contains(&key(&node.fields)))
            .map(|node| (*node).clone())
            .collect();
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(address: &str) -> Fields {
        json!({"address": address, "protocol_port": 80}).as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_batch_is_what_differs() {
        let pool = Node::new(Noun::Pool, "p", "lb", "lb", Fields::new());
        let (one, two) = (new(&pool, false, fields("10.0.0.1")), new(&pool, false, fields("10.0.0.2")));
        let batch = |additive| {
            let made = batch(&[&one, &two], &[fields("10.0.0.2"), fields("10.0.0.3")], additive).unwrap();
            (made.added.len(), made.changed.len(), made.removed.len())
        };
        assert_eq!(batch(false), (1, 1, 1));
        assert_eq!(batch(true), (1, 1, 0));
        assert!(super::batch(&[&one], &[fields("10.0.0.1"), fields("10.0.0.1")], false).is_err());
    }
}
