//! What a listener does with the requests that its policies are about. Pure.

use super::backend;
use super::words::{argument, formatted, line, word};
use crate::balancer::{ListenerPlan, PolicyAction, PolicyPlan, RuleMatch};

/// Octavia refuses first, redirects then and chooses a pool last, whatever their positions; so does HAProxy, but for the first two.
pub fn policies(out: &mut String, listener: &ListenerPlan) {
    let mut policies: Vec<&PolicyPlan> = listener.policies.iter().collect();
    policies.sort_by_key(|policy| match policy.action {
        PolicyAction::Reject => 0,
        PolicyAction::ToUrl(..) | PolicyAction::ToPrefix(..) => 1,
        PolicyAction::ToPool(_) => 2,
    });
    for policy in policies {
        let conditions = conditions(out, policy);
        let what = match &policy.action {
            PolicyAction::Reject => "http-request deny".to_owned(),
            PolicyAction::ToPool(pool) => format!("use_backend {}", backend::name(pool, &listener.id)),
            PolicyAction::ToUrl(url, code) => {
                format!("http-request redirect location {} code {code}", formatted(url))
            }
            PolicyAction::ToPrefix(prefix, code) => {
                format!("http-request redirect prefix {} code {code}", formatted(prefix))
            }
        };
        line(out, 1, &format!("{what} if {conditions}"));
    }
}

/// Each rule is a line: one line of all would be longer than HAProxy takes.
fn conditions(out: &mut String, policy: &PolicyPlan) -> String {
    let names = policy.rules.iter().enumerate().map(|(number, rule)| {
        let name = format!("{}.{number}", policy.id);
        line(out, 1, &format!("acl {name} {}", test(rule)));
        if rule.invert { format!("!{name}") } else { name }
    });
    names.collect::<Vec<_>>().join(" ")
}

fn test(rule: &RuleMatch) -> String {
    let how = match rule.compare.as_str() {
        "REGEX" => "reg",
        "STARTS_WITH" => "beg",
        "ENDS_WITH" => "end",
        "CONTAINS" => "sub",
        _ => "str",
    };
    let value = rule.value.trim_matches('"');
    let value = word(if rule.compare == "REGEX" { &rule.value } else { value });
    match rule.kind.as_str() {
        "HOST_NAME" => format!("req.hdr(host) -i -m {how} -- {value}"),
        "PATH" => format!("path -m {how} -- {value}"),
        "FILE_TYPE" if how == "reg" => format!("path,field(-1,.) -m reg -- {value}"),
        "FILE_TYPE" => format!("path -m end -- .{value}"),
        "HEADER" => format!("req.hdr({}) -m {how} -- {value}", argument(&rule.key)),
        "COOKIE" => format!("req.cook({}) -m {how} -- {value}", argument(&rule.key)),
        "SSL_CONN_HAS_CERT" => "ssl_c_used".to_owned(),
        "SSL_VERIFY_RESULT" => match rule.value.parse::<u32>() {
            Ok(code) => format!("ssl_c_verify {code}"),
            Err(_) => "always_false".to_owned(),
        },
        "SSL_DN_FIELD" => format!("ssl_c_s_dn({}) -m {how} -- {value}", argument(&rule.key)),
        _ => "always_false".to_owned(),
    }
}
