//! Which add-ons a cluster gets, and what the cloud must have for them.

use std::collections::BTreeSet;

use super::numbers;
use crate::spec::AdoptedNetwork;
use crate::{Addon, Cloud, ClusterSpec, Cni, Error, Result};

/// The first minor version whose API server asks a webhook of some users only.
const LEAST_FOR_KEYSTONE: u32 = 32;

/// What was asked for and can be had; of what nobody spoke, the defaults that the cloud has a service for.
pub(super) async fn choose(
    spec: &ClusterSpec,
    kubernetes: &str,
    cloud: &dyn Cloud,
) -> Result<(BTreeSet<Addon>, Cni)> {
    let capabilities = cloud.capabilities().await?;
    let lacks = |addon| match addon {
        Addon::CinderCsi if !capabilities.volumes() => Some("volumes (Cinder)"),
        Addon::OctaviaIngress if !capabilities.load_balancers() => Some("load balancers (Octavia)"),
        _ => None,
    };
    let mut chosen = BTreeSet::new();
    for addon in Addon::ALL {
        let wanted = match (spec.addons.get(&addon), lacks(addon)) {
            (Some(true), Some(what)) => {
                return Err(Error::spec(format!(
                    "cloud `{}` has no {what}, which the add-on {addon} needs",
                    cloud.cloud_name()
                )));
            }
            (Some(asked), _) => *asked,
            (None, lacking) => addon.by_default() && lacking.is_none(),
        };
        if wanted {
            chosen.insert(addon);
        }
    }
    let acting: Vec<&str> = chosen.iter().filter(|addon| addon.acts()).map(|addon| addon.as_str()).collect();
    if !acting.is_empty() && !cloud.may_make_credentials() {
        return Err(Error::spec(format!(
            "the controllers of the cluster ({}) act on the cloud by an application credential of their own, and this \
             login, itself by a restricted one, may make none; log in with a password, or do without them: {}",
            acting.join(", "),
            acting.iter().map(|name| format!("--without {name}")).collect::<Vec<_>>().join(" ")
        )));
    }
    if chosen.contains(&Addon::KeystoneAuth) && numbers(kubernetes) < vec![1, LEAST_FOR_KEYSTONE] {
        return Err(Error::spec(format!(
            "the add-on keystone-auth needs Kubernetes v1.{LEAST_FOR_KEYSTONE} or newer, and this is {kubernetes}"
        )));
    }
    // Whatever the controllers cannot reach their cloud by is found before anything is made.
    let connection = cloud.connection()?;
    if chosen.contains(&Addon::KeystoneAuth) && connection.insecure {
        return Err(Error::spec(
            "the add-on keystone-auth verifies the cloud's certificate, and clouds.yaml says `verify: false`; name the \
             authority that signed it by `cacert`",
        ));
    }
    let cni = spec.cni.unwrap_or_default();
    if cni == Cni::Router && !capabilities.routed_pods() {
        return Err(Error::spec(format!(
            "cloud `{}` has no static routes or no allowed address pairs, which --cni router needs",
            cloud.cloud_name()
        )));
    }
    if cni == Cni::Router && !chosen.contains(&Addon::CloudControllerManager) {
        return Err(Error::spec(
            "--cni router needs the add-on cloud-controller-manager, which writes the routes",
        ));
    }
    Ok((chosen, cni))
}

/// Does Cinder know the zones in which nodes will be? A driver that asks for a zone that it does not know makes nothing.
pub(super) async fn zones_agree(spec: &ClusterSpec, cloud: &dyn Cloud) -> Result<bool> {
    let of_volumes = cloud.volume_zones().await?;
    let of_nodes = match &spec.availability_zone {
        Some(zone) => vec![zone.clone()],
        None => cloud.compute_zones().await?,
    };
    Ok(of_nodes.iter().all(|zone| of_volumes.contains(zone)))
}

/// The router that joins a given network to the others.
pub(super) async fn router_of(network: &AdoptedNetwork, cloud: &dyn Cloud) -> Result<String> {
    let ports = cloud.ports(&[("network_id", network.network_id.as_str())]).await?;
    let found = ports.into_iter().find(|port| {
        port.is_router_interface() && port.fixed_ips.iter().any(|ip| ip.subnet_id == network.subnet_id)
    });
    let found = found.ok_or_else(|| {
        Error::spec(
            "no router of this project has an interface in the given network, which --cni router needs",
        )
    })?;
    Ok(found.device_id)
}
