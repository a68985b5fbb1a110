//! Names of everything this crate makes in the kernel. Pure: the same id gives the same name, always.
//!
//! As in Neutron, a link is named after the first eleven characters of its port's UUID (a link's name has at most
//! fifteen), so that an operator who knows one knows the other.

use camino::Utf8PathBuf;

/// Where `ip netns` looks.
pub const NETNS_DIRECTORY: &str = "/run/netns";

/// The bridge of a network's namespace.
pub const BRIDGE: &str = "br0";

/// A network namespace of the cloud: `PREFIX-n-3fa85f64-57` or `PREFIX-r-3fa85f64-57`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetnsKind {
    Network,
    Router,
    Balancer,
}

impl NetnsName {
    #[must_use]
    pub fn network(prefix: &str, network_id: &str) -> Self {
        Self(format!("{prefix}-n-{}", short(network_id)))
    }

    #[must_use]
    pub fn router(prefix: &str, router_id: &str) -> Self {
        Self(format!("{prefix}-r-{}", short(router_id)))
    }

    #[must_use]
    pub fn balancer(prefix: &str, balancer_id: &str) -> Self {
        Self(format!("{prefix}-b-{}", short(balancer_id)))
    }

    /// The reverse, for names found in the directory: `None` for a namespace that is not this cloud's.
    #[must_use]
    pub fn recognize(prefix: &str, name: &str) -> Option<(NetnsKind, Self)> {
        let rest = name.strip_prefix(prefix)?;
        let (kind, id) = match rest.split_at_checked(3)? {
            ("-n-", id) => (NetnsKind::Network, id),
            ("-r-", id) => (NetnsKind::Router, id),
            ("-b-", id) => (NetnsKind::Balancer, id),
            _ => return None,
        };
        let ours = id.len() <= 11 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        ours.then(|| (kind, Self(name.to_owned())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn path(&self) -> Utf8PathBuf {
        Utf8PathBuf::from(NETNS_DIRECTORY).join(&self.0)
    }
}

impl std::fmt::Display for NetnsName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A virtual machine's link on the bridge.
#[must_use]
pub fn tap(port_id: &str) -> String {
    format!("tap{}", short(port_id))
}

/// The end of a subport's link that is beside its trunk's tap. The other end is its [`tap`], on its own network.
#[must_use]
pub fn trunk_link(subport_id: &str) -> String {
    format!("{TRUNK_LINKS}{}", short(subport_id))
}

/// How names of [`trunk_link`] begin.
pub const TRUNK_LINKS: &str = "sub";

/// A router's link, in the router's namespace.
#[must_use]
pub fn router_link(port_id: &str) -> String {
    format!("qr-{}", short(port_id))
}

/// A router's link into the external network, in the router's namespace.
#[must_use]
pub fn gateway_link(port_id: &str) -> String {
    format!("qg-{}", short(port_id))
}

/// The other end of a router's link, on the network's bridge.
#[must_use]
pub fn router_peer(port_id: &str) -> String {
    format!("rtr{}", short(port_id))
}

/// A load balancer's link, in its own namespace. The other end is the [`tap`] of its port.
#[must_use]
pub fn balancer_link(port_id: &str) -> String {
    format!("{BALANCER_LINKS}{}", short(port_id))
}

/// How names of [`balancer_link`] begin.
pub const BALANCER_LINKS: &str = "lb-";

/// The host's end of the link into an external network.
#[must_use]
pub fn host_link(network_id: &str) -> String {
    format!("cml-{}", &network_id[..network_id.len().min(8)])
}

/// The other end of [`host_link`], on the external network's bridge.
pub const HOST_LINK_PEER: &str = "host0";

fn short(id: &str) -> &str {
    id.get(..11).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

    #[test]
    fn links_fit_the_kernels_limit() {
        for name in
            [tap(ID), router_link(ID), gateway_link(ID), router_peer(ID), host_link(ID), trunk_link(ID)]
        {
            assert!(name.len() <= 15, "{name}");
        }
    }

    #[test]
    fn only_our_namespaces_are_recognized() {
        let name = NetnsName::network("cumulet", ID);
        assert_eq!(name.as_str(), "cumulet-n-3fa85f64-57");
        assert_eq!(NetnsName::recognize("cumulet", name.as_str()), Some((NetnsKind::Network, name)));
        let router = NetnsName::router("cumulet", ID);
        assert_eq!(NetnsName::recognize("cumulet", router.as_str()), Some((NetnsKind::Router, router)));
        for other in
            ["cumulet", "cumulet-x-3fa85f64-57", "other-n-3fa85f64-57", "cumulet-n-mine", "cumulet-n"]
        {
            assert_eq!(NetnsName::recognize("cumulet", other), None, "{other}");
        }
    }
}
