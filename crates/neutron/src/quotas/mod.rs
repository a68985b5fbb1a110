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

/// `RESOURCE=N,..`: an operator's own defaults.
pub fn parse(text: &str) -> Result<Vec<(String, i64)>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (resource, limit) =
                part.split_once('=').ok_or("write a resource and a number, as in router=20")?;
            if !RESOURCES.iter().any(|(known, ..)| *known == resource) {
                let known: Vec<&str> = RESOURCES.iter().map(|(known, ..)| *known).collect();
                return Err(format!("there is no resource {resource}; there are {}", known.join(", ")));
            }
            let limit = limit.parse::<i32>().ok().filter(|limit| *limit >= -1);
            let limit =
                limit.ok_or_else(|| format!("write -1 (no limit) or a whole number for {resource}"))?;
            Ok((resource.to_owned(), limit.into()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn defaults_as_operators_write_them() {
        let parse = |text: &str| super::parse(text);
        assert_eq!(parse("router=20, port=-1"), Ok(vec![("router".into(), 20), ("port".into(), -1)]));
        assert_eq!(parse(""), Ok(vec![]));
        for wrong in ["router", "router=", "router=-2", "routers=1", "router=1.5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
