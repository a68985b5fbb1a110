//! Can this machine's files do what a type's extra specs ask of a backend?

use std::collections::BTreeMap;

use serde_json::Value;

/// Specs with another scope than `capabilities` speak to others than the one who chooses the backend.
pub fn fits(specs: &BTreeMap<String, String>, capabilities: &Value) -> bool {
    specs.iter().all(|(key, wanted)| {
        let name = match key.split_once(':') {
            None => key.as_str(),
            Some(("capabilities", name)) => name,
            Some(_) => return true,
        };
        capabilities.get(name).is_some_and(|is| matches(is, wanted))
    })
}

/// Cinder's operators: `<is> True`, `<in> text`, `<or> a <or> b`, `s== text`, `>= 5` and so on, or the value itself.
fn matches(is: &Value, wanted: &str) -> bool {
    let text = match is {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (operator, operand) = wanted.split_once(' ').unwrap_or(("", wanted));
    let numbers = text.parse::<f64>().ok().zip(operand.trim().parse::<f64>().ok());
    let compare = |ok: fn(f64, f64) -> bool| numbers.is_some_and(|(is, wanted)| ok(is, wanted));
    match operator {
        "<is>" => crate::values::boolean(&text) == crate::values::boolean(operand.trim()),
        "<in>" => text.contains(operand.trim()),
        "<or>" => wanted.split("<or>").any(|one| !one.trim().is_empty() && one.trim() == text),
        "s==" => text == operand.trim(),
        "s!=" => text != operand.trim(),
        "=" | ">=" => compare(|is, wanted| is >= wanted),
        "<=" => compare(|is, wanted| is <= wanted),
        "==" => compare(|is, wanted| (is - wanted).abs() < f64::EPSILON),
        "!=" => compare(|is, wanted| (is - wanted).abs() >= f64::EPSILON),
        _ => text.eq_ignore_ascii_case(wanted.trim()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_ask_for_what_there_is_or_get_nothing() {
        let there = json!({"volume_backend_name": "files", "multiattach": true, "total_capacity_gb": 100});
        for (key, wanted, fit) in [
            ("volume_backend_name", "files", true),
            ("volume_backend_name", "lvm", false),
            ("capabilities:volume_backend_name", "s== files", true),
            ("volume_backend_name", "<or> a <or> files", true),
            ("volume_backend_name", "<in> ile", true),
            ("multiattach", "<is> True", true),
            ("multiattach", "<is> False", false),
            ("total_capacity_gb", ">= 50", true),
            ("total_capacity_gb", "<= 50", false),
            ("nothing", "x", false),
            ("RESKEY:availability_zones", "nova", true),
        ] {
            let specs = [(key.to_owned(), wanted.to_owned())].into();
            assert_eq!(fits(&specs, &there), fit, "{key} {wanted}");
        }
    }
}
