//! Values of attributes, in the words of the library that the real service checks with.

use std::net::IpAddr;

use base::Result;
use ipnet::IpNet;
use regex::Regex;
use serde_json::{Map, Value};

use super::{Attr, Is, created};
use crate::fault;

/// The value as it is kept.
pub fn value(attr: &Attr, given: &Value) -> Result<Value> {
    let refuse = |what: &str| Err(fault::input(attr.name, &shown(given), what));
    let text = || match given {
        Value::String(text) => Ok(text.as_str()),
        _ => Err(fault::input(attr.name, &shown(given), "Value should be string")),
    };
    match attr.is {
        Is::Flag => match given {
            Value::Bool(_) => Ok(given.clone()),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true.into()),
                "false" | "f" | "no" | "n" | "off" | "0" => Ok(false.into()),
                _ => refuse("Value should be boolean"),
            },
            Value::Number(number) if number.as_i64().is_some_and(|n| n == 0 || n == 1) => {
                Ok((number.as_i64() == Some(1)).into())
            }
            _ => refuse("Value should be boolean"),
        },
        Is::Number(least, most) => {
            let number = match given {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            match number {
                None => refuse("unable to convert to int"),
                Some(n) if n < least => refuse(&format!("Value should be greater or equal to {least}")),
                Some(n) if n > most => refuse(&format!("Value should be lower or equal to {most}")),
                Some(n) => Ok(n.into()),
            }
        }
        Is::Text(most) => {
            if text()?.chars().count() > most {
                return refuse(&format!("Value should have a maximum character requirement of {most}"));
            }
            if text()?.contains(['\0', '\r', '\n']) && attr.name != "description" && attr.name != "name" {
                return refuse("Value should not contain control characters");
            }
            Ok(given.clone())
        }
        Is::Uuid => match base::id::is_uuid(text()?) {
            true => Ok(given.clone()),
            false => refuse("Value should be UUID format"),
        },
        Is::One(choices) => match choices.contains(&text()?) {
            true => Ok(given.clone()),
            false => refuse(&format!("Value should be one of: {}", choices.join(", "))),
        },
        Is::OneNumber(choices) => match given.as_i64().filter(|n| choices.contains(n)) {
            Some(n) => Ok(n.into()),
            None => {
                let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
                refuse(&format!("Value should be one of: {}", choices.join(", ")))
            }
        },
        Is::HttpVersion => {
            let version = given.as_f64().or_else(|| given.as_str()?.parse().ok());
            match version.filter(|v| [1.0, 1.1].contains(v)) {
                Some(version) => Ok(version.into()),
                None => refuse("Value should be one of: 1.0, 1.1"),
            }
        }
        Is::Address => match text()?.parse::<IpAddr>() {
            Ok(_) => Ok(given.clone()),
            Err(_) => refuse("Value should be IPv4 or IPv6 format"),
        },
        Is::Networks => each(attr, given, |one| match network(one) {
            Some(network) => Ok(network.to_string().into()),
            None => Err(fault::input(attr.name, one, "Value should be IPv4 or IPv6 CIDR format")),
        }),
        Is::Texts(most) => each(attr, given, |one| match one.chars().count() > most {
            true => Err(fault::input(
                attr.name,
                one,
                &format!("Value should have a maximum character requirement of {most}"),
            )),
            false => Ok(one.into()),
        }),
        Is::Uuids => each(attr, given, |one| match base::id::is_uuid(one) {
            true => Ok(one.into()),
            false => Err(fault::input(attr.name, one, "Value should be UUID format")),
        }),
        Is::Choices(choices) => each(attr, given, |one| match choices.contains(&one) {
            true => Ok(one.into()),
            false => {
                Err(fault::input(attr.name, one, &format!("Value should be one of: {}", choices.join(", "))))
            }
        }),
        Is::Headers => headers(attr, given),
        Is::UrlPath => match is_path(text()?) {
            true => Ok(given.clone()),
            false => refuse("Value must be a valid URL Path string"),
        },
        Is::Url => match is_url(text()?) {
            true => Ok(given.clone()),
            false => refuse("Value must be a valid URL string"),
        },
        Is::Shape(pattern) => {
            let fits = Regex::new(pattern).is_ok_and(|shape| shape.is_match(text().unwrap_or_default()));
            match text()?.len() <= 255 && fits {
                true => Ok(given.clone()),
                false => refuse(&format!("Value should match the pattern {pattern}")),
            }
        }
        Is::Object(attrs) => Ok(Value::Object(created(attrs, given)?)),
        Is::Objects(attrs) => {
            let Some(list) = given.as_array() else { return refuse("Value should be a list") };
            let all = list.iter().map(|one| created(attrs, one).map(Value::Object));
            Ok(Value::Array(all.collect::<Result<_>>()?))
        }
    }
}

fn each(attr: &Attr, given: &Value, check: impl Fn(&str) -> Result<Value>) -> Result<Value> {
    let Some(list) = given.as_array() else {
        return Err(fault::input(attr.name, &shown(given), "Value should be a list"));
    };
    let mut kept: Vec<Value> = Vec::with_capacity(list.len());
    for one in list {
        let Some(text) = one.as_str() else {
            return Err(fault::input(attr.name, &shown(one), "Value should be string"));
        };
        let one = check(text)?;
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    Ok(Value::Array(kept))
}

/// Clients send booleans as texts and as booleans; texts are what is kept.
fn headers(attr: &Attr, given: &Value) -> Result<Value> {
    let Some(map) = given.as_object() else {
        return Err(fault::input(attr.name, &shown(given), "Value should be a dictionary"));
    };
    let mut kept = Map::new();
    for (name, value) in map {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
            other => return Err(fault::input(attr.name, &shown(other), "Value should be string")),
        };
        kept.insert(name.clone(), text.into());
    }
    Ok(Value::Object(kept))
}

fn network(text: &str) -> Option<IpNet> {
    let parsed = text.parse::<IpNet>().ok();
    parsed.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|network| network.trunc())
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && is_clean(text)
}

fn is_url(text: &str) -> bool {
    let parsed: Option<http::Uri> = text.parse().ok();
    is_clean(text)
        && parsed.is_some_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|h| !h.is_empty())
        })
}

/// A value as the real service prints it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::{Else, When, attr};

    fn check(is: Is, given: &Value) -> std::result::Result<Value, String> {
        value(&attr("x", is, When::Both, Else::Null), given).map_err(|e| e.message)
    }

    #[test]
    fn values_are_kept_as_the_service_keeps_them() {
        assert_eq!(check(Is::Flag, &json!("true")), Ok(json!(true)));
        assert_eq!(check(Is::Number(1, 10), &json!("7")), Ok(json!(7)));
        assert_eq!(
            check(Is::Networks, &json!(["10.0.0.7/24", "::1"])),
            Ok(json!(["10.0.0.0/24", "::1/128"]))
        );
        assert_eq!(
            check(Is::Headers, &json!({"X-Forwarded-For": true})),
            Ok(json!({"X-Forwarded-For": "True"}))
        );
        assert_eq!(check(Is::HttpVersion, &json!(1.1)), Ok(json!(1.1)));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_known_words() {
        for (is, given, words) in [
            (
                Is::Number(1, 10),
                json!(0),
                "Invalid input for field/attribute x. Value: '0'. Value should be greater or equal to 1",
            ),
            (
                Is::Number(1, 10),
                json!(11),
                "Invalid input for field/attribute x. Value: '11'. Value should be lower or equal to 10",
            ),
            (
                Is::One(&["A", "B"]),
                json!("C"),
                "Invalid input for field/attribute x. Value: 'C'. Value should be one of: A, B",
            ),
            (
                Is::Uuid,
                json!("no"),
                "Invalid input for field/attribute x. Value: 'no'. Value should be UUID format",
            ),
            (
                Is::Address,
                json!("10.0.0"),
                "Invalid input for field/attribute x. Value: '10.0.0'. Value should be IPv4 or IPv6 format",
            ),
            (
                Is::UrlPath,
                json!("/a b"),
                "Invalid input for field/attribute x. Value: '/a b'. Value must be a valid URL Path string",
            ),
            (
                Is::Url,
                json!("ftp://x"),
                "Invalid input for field/attribute x. Value: 'ftp://x'. Value must be a valid URL string",
            ),
        ] {
            assert_eq!(check(is, &given), Err(words.to_owned()));
        }
    }
}
