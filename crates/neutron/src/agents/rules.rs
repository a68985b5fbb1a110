//! Which agent can host what.

use base::{Error, Result};

use super::{Agent, store};
use crate::fault;

/// One that serves DHCP.
pub fn dhcp(agent: &Agent) -> Result<()> {
    if agent.agent_type == store::DHCP.agent_type && agent.admin_state_up {
        return Ok(());
    }
    let message = format!("Agent {} is not a valid DHCP Agent or has been disabled.", agent.id);
    Err(fault::not_found("InvalidDHCPAgent", message))
}

/// One that carries routers.
pub fn l3(agent: &Agent) -> Result<()> {
    if agent.agent_type == store::L3.agent_type && agent.admin_state_up {
        return Ok(());
    }
    let message = format!("Agent {} is not a L3 Agent or has been disabled", agent.id);
    Err(fault::not_found("InvalidL3Agent", message))
}

pub fn network_hosted(network_id: &str, agent_id: &str) -> Error {
    let message = format!("The network {network_id} has been already hosted by the DHCP Agent {agent_id}.");
    fault::conflict("NetworkHostedByDHCPAgent", message)
}

pub fn network_not_hosted(network_id: &str, agent_id: &str) -> Error {
    let message = format!("The network {network_id} is not hosted by the DHCP Agent {agent_id}.");
    fault::conflict("NetworkNotHostedByDhcpAgent", message)
}

pub fn router_not_hosted(router_id: &str, agent_id: &str) -> Error {
    let message = format!("The router {router_id} is not hosted by L3 agent {agent_id}.");
    fault::conflict("RouterNotHostedByL3Agent", message)
}
