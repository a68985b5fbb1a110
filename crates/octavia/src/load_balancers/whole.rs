//! A load balancer that is created with all that hangs on it, in one call.

use std::collections::HashMap;

use base::{Ctx, Result};
use db::Tx;
use serde_json::Value;

use crate::request::{Fields, Look};
use crate::tree::Node;
use crate::{Octavia, fault, listeners, pools};

/// A name alone: the pool itself is told elsewhere in the body.
fn is_reference(pool: &Fields) -> bool {
    !pool.is_set("protocol") && !pool.is_set("lb_algorithm") && !pool.is_set("members")
}

/// All pools of the body, wherever they are told; each name once.
fn all_pools<'a>(listeners: &'a [Value], pools: &'a [Value]) -> Result<Vec<&'a Fields>> {
    let mut all: Vec<&Fields> = pools.iter().filter_map(Value::as_object).collect();
    let mut required = Vec::new();
    for listener in listeners.iter().filter_map(Value::as_object) {
        let policies = listener.list("l7policies").iter().filter_map(|policy| policy.get("redirect_pool"));
        for pool in listener.get("default_pool").into_iter().chain(policies).filter_map(Value::as_object) {
            match (pool.text("name"), is_reference(pool)) {
                ("", _) => {
                    return Err(fault::invalid(
                        "Pools must be named when creating a fully populated loadbalancer.",
                    ));
                }
                (name, true) => required.push(name),
                _ => all.push(pool),
            }
        }
    }
    for (at, pool) in all.iter().enumerate() {
        if all[..at].iter().any(|other| other.text("name") == pool.text("name")) {
            return Err(fault::invalid(
                "Pool names must be unique when creating a fully populated loadbalancer.",
            ));
        }
    }
    match required.iter().find(|name| !all.iter().any(|pool| pool.text("name") == **name)) {
        Some(name) => {
            Err(fault::invalid(format!("Pool '{name}' was referenced but no full definition was found.")))
        }
        None => Ok(all),
    }
}

pub async fn create(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    root: &Node,
    listeners: &[Value],
    pools: &[Value],
) -> Result<()> {
    let mut ids = HashMap::new();
    for pool in all_pools(listeners, pools)? {
        let id = pools::api::create_whole(app, tx, ctx, root, pool).await?;
        ids.insert(pool.text("name").to_owned(), id);
    }
    for listener in listeners.iter().filter_map(Value::as_object) {
        listeners::api::create_whole(tx, ctx, root, listener, &ids).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pools_are_named_once_and_told_somewhere() {
        let full = |name: &str| json!({"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"});
        let names = |listeners: Value, pools: Value| {
            let (listeners, pools) =
                (listeners.as_array().unwrap().clone(), pools.as_array().unwrap().clone());
            all_pools(&listeners, &pools).map(|all| all.len()).map_err(|e| e.message)
        };
        let reference = json!([{"default_pool": {"name": "a"}}]);
        assert_eq!(names(reference.clone(), json!([full("a")])), Ok(1));
        assert_eq!(
            names(
                json!([{"default_pool": full("a"), "l7policies": [{"redirect_pool": full("b")}]}]),
                json!([])
            ),
            Ok(2)
        );
        assert!(names(reference, json!([])).unwrap_err().contains("was referenced"));
        assert!(
            names(json!([{"default_pool": full("a")}]), json!([full("a")])).unwrap_err().contains("unique")
        );
        assert!(
            names(json!([{"default_pool": {"protocol": "HTTP"}}]), json!([])).unwrap_err().contains("named")
        );
    }
}
