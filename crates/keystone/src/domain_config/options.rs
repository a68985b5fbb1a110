//! The options that a domain may have, with the values that hold without it.

use serde_json::{Map, Value, json};

pub const GROUPS: [&str; 2] = ["identity", "ldap"];
/// May be set, never read.
pub const SENSITIVE: (&str, &str) = ("ldap", "password");

pub fn defaults(group: &str) -> Map<String, Value> {
    let parts = match group {
        "identity" => vec![json!({"driver": "sql", "list_limit": null})],
        "ldap" => vec![connection(), users(), groups()],
        _ => Vec::new(),
    };
    parts
        .into_iter()
        .filter_map(|part| if let Value::Object(map) = part { Some(map) } else { None })
        .flatten()
        .collect()
}

fn connection() -> Value {
    json!({
        "url": "ldap://localhost",
        "user": null,
        "suffix": "cn=example,cn=com",
        "query_scope": "one",
        "page_size": 0,
        "alias_dereferencing": "default",
        "debug_level": null,
        "chase_referrals": null,
        "tls_cacertfile": null,
        "tls_cacertdir": null,
        "use_tls": false,
        "tls_req_cert": "demand",
        "use_pool": true,
        "pool_size": 10,
        "pool_retry_max": 3,
        "pool_retry_delay": 0.1,
        "pool_connection_timeout": -1,
        "pool_connection_lifetime": 600,
        "use_auth_pool": true,
        "auth_pool_size": 100,
        "auth_pool_connection_lifetime": 60,
    })
}

fn users() -> Value {
    json!({
        "user_tree_dn": null,
        "user_filter": null,
        "user_objectclass": "inetOrgPerson",
        "user_id_attribute": "cn",
        "user_name_attribute": "sn",
        "user_mail_attribute": "mail",
        "user_description_attribute": "description",
        "user_pass_attribute": "userPassword",
        "user_enabled_attribute": "enabled",
        "user_enabled_invert": false,
        "user_enabled_mask": 0,
        "user_enabled_default": "True",
        "user_attribute_ignore": ["default_project_id"],
        "user_default_project_id_attribute": null,
        "user_enabled_emulation": false,
        "user_enabled_emulation_dn": null,
        "user_enabled_emulation_use_group_config": false,
        "user_additional_attribute_mapping": [],
    })
}

fn groups() -> Value {
    json!({
        "group_tree_dn": null,
        "group_filter": null,
        "group_objectclass": "groupOfNames",
        "group_id_attribute": "cn",
        "group_name_attribute": "ou",
        "group_members_are_ids": false,
        "group_member_attribute": "member",
        "group_desc_attribute": "description",
        "group_attribute_ignore": [],
        "group_additional_attribute_mapping": [],
    })
}
