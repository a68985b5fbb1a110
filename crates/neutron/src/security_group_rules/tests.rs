use base::Ctx;
use serde_json::{Value, json};

use super::*;

const GROUP: &str = "5a6b3c1e-0000-4000-8000-000000000001";

fn made(extra: Value) -> base::Result<Rule> {
    let mut rule = json!({"security_group_id": GROUP, "direction": "ingress"});
    let Value::Object(extra) = extra else { panic!("attributes are an object") };
    rule.as_object_mut().unwrap().extend(extra);
    let ctx = Ctx::internal("test");
    rules::create(&ctx, &SPEC.create_one(&ctx, &json!({ "security_group_rule": rule }))?)
}

#[test]
fn mistakes_have_neutrons_names() {
    for (rule, code) in [
        (json!({"port_range_min": 1, "port_range_max": 2}), "SecurityGroupProtocolRequiredWithPorts"),
        (
            json!({"protocol": "tcp", "port_range_min": 5, "port_range_max": 2}),
            "SecurityGroupInvalidPortRange",
        ),
        (json!({"protocol": "tcp", "port_range_min": 5}), "SecurityGroupInvalidPortRange"),
        (
            json!({"protocol": "tcp", "port_range_min": 0, "port_range_max": 9}),
            "SecurityGroupInvalidPortValue",
        ),
        (
            json!({"protocol": "tcp", "port_range_min": 70000, "port_range_max": 70000}),
            "SecurityGroupInvalidPortValue",
        ),
        (json!({"protocol": "icmp", "port_range_min": 256}), "SecurityGroupInvalidIcmpValue"),
        (json!({"protocol": "icmp", "port_range_max": 2}), "SecurityGroupMissingIcmpType"),
        (
            json!({"protocol": "gre", "port_range_min": 2, "port_range_max": 2}),
            "SecurityGroupInvalidProtocolForPort",
        ),
        (json!({"protocol": "nonsense"}), "SecurityGroupRuleInvalidProtocol"),
        (json!({"protocol": 256}), "SecurityGroupRuleInvalidProtocol"),
        (json!({"protocol": "ipv6-icmp"}), "SecurityGroupEthertypeConflictWithProtocol"),
        (json!({"ethertype": "IPv5"}), "SecurityGroupRuleInvalidEtherType"),
        (json!({"remote_ip_prefix": "fd00::/8"}), "SecurityGroupRuleParameterConflict"),
        (json!({"remote_ip_prefix": "anywhere"}), "InvalidCIDR"),
        (
            json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": GROUP}),
            "SecurityGroupMultipleRemoteEntites",
        ),
    ] {
        assert_eq!(made(rule.clone()).unwrap_err().code, code, "{rule}");
    }
}

#[test]
fn spellings_of_the_same_rule_are_equal() {
    let same =
        |a: Value, b: Value| rules::fingerprint(&made(a).unwrap()) == rules::fingerprint(&made(b).unwrap());
    assert!(same(json!({"protocol": "tcp"}), json!({"protocol": "6"})));
    assert!(same(json!({"protocol": "TCP"}), json!({"protocol": 6})));
    assert!(same(json!({"protocol": "any"}), json!({})));
    assert!(same(json!({"remote_ip_prefix": "0.0.0.0/0"}), json!({})));
    assert!(same(
        json!({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}),
        json!({"protocol": "tcp"})
    ));
    assert!(same(
        json!({"ethertype": "ipv6", "protocol": "icmp"}),
        json!({"ethertype": "IPv6", "protocol": "58"})
    ));
    assert!(!same(json!({"ethertype": "IPv6"}), json!({})));
    assert!(!same(json!({"remote_ip_prefix": "10.0.0.0/8"}), json!({})));
}

#[test]
fn rules_print_as_they_were_given() {
    let rule = made(json!({"protocol": "4", "ethertype": "IPv4", "remote_ip_prefix": "10.0.0.9"})).unwrap();
    let view = view::view(&rule, false);
    assert_eq!(view["protocol"], "4");
    assert_eq!(view["remote_ip_prefix"], "10.0.0.9/32");
    assert_eq!(view["port_range_min"], Value::Null);
}
