//! What the glue has to know of a service.

use base::Microversion;

/// Whose fault JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Keystone,
    Nova,
    Neutron,
    Glance,
    Placement,
    Barbican,
    Octavia,
}

#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// `compute`: also the name in the OpenStack-API-Version header.
    pub name: &'static str,
    pub style: Style,
    /// (lowest, highest), for services with microversions. Without a header a request is at the lowest.
    pub microversions: Option<(Microversion, Microversion)>,
    /// The older header, `X-OpenStack-Nova-API-Version`.
    pub legacy_header: Option<&'static str>,
    /// All its policies have scope type `project`: tokens for a domain or the system are refused.
    pub for_projects: bool,
}
