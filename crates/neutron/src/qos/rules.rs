//! What a rule may say, and which rules contradict each other.

use std::fmt::Display;

use base::{Error, Result};
use serde_json::Value;

use super::QosRule;
use crate::fault;
use crate::request::Input;

pub const MAX: i64 = i32::MAX as i64;

/// The code points that RFC 2474 and its successors give a meaning, as Neutron takes them.
pub const DSCP_MARKS: &[i64] =
    &[0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56];

pub fn rule_not_found(id: &str) -> Error {
    Error::not_found(format!("QoS rule {id} could not be found.")).code("QosRuleNotFound")
}

pub fn not_of_policy(id: &str, policy_id: &str) -> Error {
    Error::not_found(format!("QoS rule {id} for policy {policy_id} could not be found."))
        .code("QosRuleNotFound")
}

pub fn create(policy_id: &str, kind: &str, input: &Input) -> Result<QosRule> {
    let mut rule = QosRule {
        id: base::id::uuid(),
        qos_policy_id: policy_id.into(),
        kind: kind.into(),
        direction: if kind == "dscp_marking" { String::new() } else { "egress".into() },
        created_at: base::time::now(),
        ..QosRule::default()
    };
    apply(&mut rule, input)?;
    Ok(rule)
}

pub fn apply(rule: &mut QosRule, input: &Input) -> Result<()> {
    let set = |name: &str, slot: &mut i64| {
        if let Some(number) = input.int(name) {
            *slot = number;
        }
    };
    set("max_kbps", &mut rule.max_kbps);
    set("max_burst_kbps", &mut rule.max_burst_kbps);
    set("min_kbps", &mut rule.min_kbps);
    set("max_kpps", &mut rule.max_kpps);
    set("max_burst_kpps", &mut rule.max_burst_kpps);
    set("min_kpps", &mut rule.min_kpps);
    if let Some(direction) = input.text("direction") {
        rule.direction = direction.into();
    }
    if let Some(value) = input.value("dscp_mark") {
        rule.dscp_mark = dscp_mark(value)?;
    }
    Ok(())
}

fn dscp_mark(value: &Value) -> Result<i64> {
    let shown = value.as_str().map_or_else(|| value.to_string(), Into::into);
    let number: i64 =
        shown.parse().map_err(|_| fault::invalid_input(format!("'{shown}' is not an integer")))?;
    if DSCP_MARKS.contains(&number) {
        return Ok(number);
    }
    let marks: Vec<String> = DSCP_MARKS.iter().map(ToString::to_string).collect();
    Err(fault::http_bad_request(format!(
        "Invalid input for dscp_mark. Reason: {number} is not in [{}].",
        marks.join(", ")
    )))
}

/// One rule of a kind for each direction, `any` being both; no limit below what is promised.
pub fn check<'a>(rule: &QosRule, others: impl IntoIterator<Item = &'a QosRule>) -> Result<()> {
    for other in others.into_iter().filter(|o| o.id != rule.id) {
        if other.kind == rule.kind && other.direction == rule.direction {
            return Err(fault::conflict(
                "QoSRulesConflict",
                format!(
                    "Rule {} conflicts with rule {} which already exists in QoS Policy {}.",
                    rule.kind, other.id, rule.qos_policy_id
                ),
            ));
        }
        let both = rule.direction == "any" || other.direction == "any";
        if other.kind == rule.kind && both {
            return Err(crossing(rule, &rule.direction, other, &other.direction));
        }
        let crossed = match (rule.kind.as_str(), other.kind.as_str()) {
            ("bandwidth_limit", "minimum_bandwidth") => rule.max_kbps < other.min_kbps,
            ("minimum_bandwidth", "bandwidth_limit") => rule.min_kbps > other.max_kbps,
            _ => false,
        };
        if crossed && other.direction == rule.direction {
            let (mine, theirs) = if rule.kind == "bandwidth_limit" {
                (rule.max_kbps, other.min_kbps)
            } else {
                (rule.min_kbps, other.max_kbps)
            };
            return Err(crossing(rule, mine, other, theirs));
        }
    }
    Ok(())
}

fn crossing(rule: &QosRule, mine: impl Display, other: &QosRule, theirs: impl Display) -> Error {
    fault::conflict(
        "QoSRuleParameterConflict",
        format!(
            "Unable to add the rule with value {mine} to the policy {} as the existing rule of type {} has value \
             {theirs}.",
            rule.qos_policy_id, other.kind
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, kind: &str, direction: &str, kbps: i64) -> QosRule {
        QosRule {
            id: id.into(),
            kind: kind.into(),
            direction: direction.into(),
            max_kbps: kbps,
            min_kbps: kbps,
            ..QosRule::default()
        }
    }

    #[test]
    fn rules_that_contradict_each_other_are_refused() {
        let limit = rule("a", "bandwidth_limit", "egress", 1000);
        let code = |new: &QosRule| check(new, [&limit]).map_err(|e| e.code);
        assert_eq!(code(&rule("b", "bandwidth_limit", "egress", 1)), Err("QoSRulesConflict"));
        assert_eq!(code(&rule("b", "bandwidth_limit", "ingress", 1)), Ok(()));
        assert_eq!(code(&rule("a", "bandwidth_limit", "egress", 1)), Ok(()));
        assert_eq!(code(&rule("b", "minimum_bandwidth", "egress", 1001)), Err("QoSRuleParameterConflict"));
        assert_eq!(code(&rule("b", "minimum_bandwidth", "egress", 1000)), Ok(()));
        assert_eq!(code(&rule("b", "minimum_bandwidth", "ingress", 1001)), Ok(()));
        let any = rule("c", "minimum_packet_rate", "any", 0);
        let code = |new: &QosRule| check(new, [&any]).map_err(|e| e.code);
        assert_eq!(code(&rule("b", "minimum_packet_rate", "any", 0)), Err("QoSRulesConflict"));
        assert_eq!(code(&rule("b", "minimum_packet_rate", "egress", 0)), Err("QoSRuleParameterConflict"));
        assert_eq!(code(&rule("b", "packet_rate_limit", "egress", 0)), Ok(()));
    }

    #[test]
    fn only_known_marks() {
        assert_eq!(dscp_mark(&serde_json::json!("26")).unwrap(), 26);
        assert!(dscp_mark(&serde_json::json!(25)).is_err() && dscp_mark(&Value::Null).is_err());
    }
}
