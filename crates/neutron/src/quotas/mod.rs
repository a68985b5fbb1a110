//! Quotas: how many of each resource a project may have. -1 is no limit.

pub mod api;
pub mod store;

/// (resource, its table, default limit) with Neutron's own defaults.
pub const RESOURCES: &[(&str, &str, i64)] = &[
    ("network", "network", 100),
    ("subnet", "subnet", 100),
    ("port", "port", 500),
    ("router", "router", 10),
    ("floatingip", "floating_ip", 50),
    ("security_group", "security_group", 10),
    ("security_group_rule", "security_group_rule", 100),
    ("rbac_policy", "rbac_policy", 10),
    ("subnetpool", "subnet_pool", -1),
    ("trunk", "trunk", -1),
    ("address_group", "address_group", 10),
];
