//! A network for who asks for nothing in particular: once for each project, with a subnet of every default pool, behind
//! a router with a gateway on the default external network. `openstack server create --nic auto` asks for it.
//!
//! ```text
//! GET ─► there already? ─► its network's id
//!             └─ no ─► network, subnets, router, gateway, interfaces: all in one transaction
//! ```

pub mod api;
pub mod store;

use base::{Ctx, Error, Result};

use crate::fault;

/// Whose topology a path means: clients without a project in hand write `None` for their own.
pub fn project<'a>(ctx: &'a Ctx, named: &'a str) -> Result<&'a str> {
    let project = if named == "None" { ctx.require_project()? } else { named };
    if ctx.owns(project) {
        Ok(project)
    } else {
        Err(Error::forbidden("Not authorized.").code("NotAuthorized"))
    }
}

pub fn failure(reason: &str) -> Error {
    fault::conflict("AutoAllocationFailure", format!("Deployment error: {reason}."))
}
