use serde_json::{Map, Value};

use super::SecurityGroup;
use crate::security_group_rules::{self as rules, Rule};

pub fn view(group: &SecurityGroup, of_group: &[Rule]) -> Map<String, Value> {
    let mut view = group.standard.open();
    let rules: Vec<Value> = of_group.iter().map(|r| Value::Object(rules::view::view(r))).collect();
    view.insert("security_group_rules".into(), Value::Array(rules));
    group.standard.close(&mut view);
    view
}
