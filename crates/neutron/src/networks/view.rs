use base::Ctx;
use serde_json::{Map, Value, json};

use super::Network;
use super::rules::ZONE;

/// `subnets`: ids of the network's subnets.
pub fn view(ctx: &Ctx, network: &Network, subnets: &[String]) -> Map<String, Value> {
    let mut view = network.standard.open();
    view.insert("admin_state_up".into(), json!(network.admin_state_up));
    view.insert("mtu".into(), json!(network.mtu));
    view.insert("status".into(), json!("ACTIVE"));
    view.insert("subnets".into(), json!(subnets));
    view.insert("shared".into(), json!(network.shared));
    view.insert("availability_zone_hints".into(), json!(network.availability_zone_hints));
    view.insert("availability_zones".into(), json!([ZONE]));
    view.insert("router:external".into(), json!(network.external));
    if network.external {
        view.insert("is_default".into(), json!(network.is_default));
    }
    view.insert("port_security_enabled".into(), json!(network.port_security));
    if ctx.is_admin() {
        view.insert("provider:network_type".into(), json!(network.network_type));
        let physical = Some(&network.physical_network).filter(|p| !p.is_empty());
        view.insert("provider:physical_network".into(), json!(physical));
        view.insert("provider:segmentation_id".into(), Value::Null);
    }
    network.standard.close(&mut view);
    view
}
