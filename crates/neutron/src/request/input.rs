//! Bodies.

use std::net::IpAddr;

use base::{Ctx, Error, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::check::{self, shown};
use super::{Attr, Kind, Spec};
use crate::fault;

/// The checked attributes of one resource. What is absent was not in the body; defaults are the room's.
#[derive(Debug, Clone, Default)]
pub struct Input {
    values: Map<String, Value>,
}

impl Input {
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// None when absent or null.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.values.get(name)?.as_bool()
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.values.get(name)?.as_i64()
    }

    pub fn address(&self, name: &str) -> Option<IpAddr> {
        self.text(name)?.parse().ok()
    }

    /// A list or object in its own type; the checks made sure that it fits.
    pub fn parsed<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|e| fault::http_bad_request(format!("Invalid input for {name}. Reason: {e}."))),
        }
    }

    /// The owner of a new resource: `project_id`, which only an admin may set to somebody else's.
    pub fn owner(&self, ctx: &Ctx) -> Result<String> {
        match self.text("project_id").or_else(|| self.text("tenant_id")) {
            Some(project) => {
                if !ctx.is_admin() && ctx.project().is_none_or(|p| p.id != project) {
                    return Err(fault::http_bad_request(
                        "Specifying 'project_id' other than the authenticated project in request is not \
                         allowed for the current user.",
                    ));
                }
                Ok(project.into())
            }
            None => match ctx.project() {
                Some(project) => Ok(project.id.clone()),
                // The cloud's own rows (the first external network) belong to nobody.
                None if ctx.is_admin() => Ok(String::new()),
                None => ctx.require_project().map(Into::into),
            },
        }
    }
}

impl Spec {
    /// One or (in bulk) several new resources; the flag tells whether the body was a bulk.
    pub fn create(&self, ctx: &Ctx, body: &Value) -> Result<(Vec<Input>, bool)> {
        let body = object(body)?;
        if let Some(items) = body.get(self.collection) {
            if !self.bulk {
                return Err(fault::http_bad_request("Bulk operation not supported"));
            }
            let items = items.as_array().filter(|i| !i.is_empty());
            let items = items.ok_or_else(|| fault::http_bad_request("Resources required"))?;
            // An item may be bare or wrapped once more in its own name.
            let inputs = items.iter().map(|i| self.input(ctx, i.get(self.member).unwrap_or(i), true));
            return Ok((inputs.collect::<Result<_>>()?, true));
        }
        Ok((vec![self.input(ctx, self.member_of(body)?, true)?], false))
    }

    /// A body that can hold only one.
    pub fn create_one(&self, ctx: &Ctx, body: &Value) -> Result<Input> {
        self.input(ctx, self.member_of(object(body)?)?, true)
    }

    pub fn update(&self, ctx: &Ctx, body: &Value) -> Result<Input> {
        self.input(ctx, self.member_of(object(body)?)?, false)
    }

    fn member_of<'a>(&self, body: &'a Map<String, Value>) -> Result<&'a Value> {
        body.get(self.member).filter(|v| !v.is_null()).ok_or_else(|| {
            fault::http_bad_request(format!("Unable to find '{}' in request body", self.member))
        })
    }

    fn input(&self, ctx: &Ctx, item: &Value, create: bool) -> Result<Input> {
        let item = item
            .as_object()
            .ok_or_else(|| fault::http_bad_request(format!("Invalid format for '{}'", self.member)))?;
        if let (Some(a), Some(b)) = (item.get("project_id"), item.get("tenant_id"))
            && a != b
        {
            return Err(fault::http_bad_request("'project_id' and 'tenant_id' do not match"));
        }
        let unknown: Vec<&str> = item.keys().map(String::as_str).filter(|k| self.attr(k).is_none()).collect();
        if !unknown.is_empty() {
            return Err(fault::http_bad_request(format!(
                "Unrecognized attribute(s) '{}'",
                unknown.join(", ")
            )));
        }
        if create && let Some(missing) = self.attrs.iter().find(|a| a.required && !item.contains_key(a.name))
        {
            return Err(fault::http_bad_request(format!(
                "Failed to parse request. Required attribute '{}' not specified",
                missing.name
            )));
        }
        let mut values = Map::with_capacity(item.len());
        for (name, value) in item {
            let Some(attr) = self.attr(name) else { continue };
            self.allowed(ctx, attr, create)?;
            values.insert(name.clone(), checked(attr, value)?);
        }
        Ok(Input { values })
    }

    fn allowed(&self, ctx: &Ctx, attr: &Attr, create: bool) -> Result<()> {
        if create && !attr.post {
            return Err(fault::http_bad_request(format!("Attribute '{}' not allowed in POST", attr.name)));
        }
        if !create && !attr.put {
            return Err(fault::http_bad_request(format!("Cannot update read-only attribute {}", attr.name)));
        }
        let is_manager = ctx.is_admin() || ctx.auth.has_role("manager");
        if attr.admin && !ctx.is_admin() || attr.manager && !is_manager {
            let verb = if create { "create" } else { "update" };
            return Err(fault::policy(&format!("{verb}_{}:{}", self.member, attr.name)));
        }
        Ok(())
    }
}

fn object(body: &Value) -> Result<&Map<String, Value>> {
    body.as_object()
        .filter(|b| !b.is_empty())
        .ok_or_else(|| fault::http_bad_request("Resource body required"))
}

fn checked(attr: &Attr, value: &Value) -> Result<Value, Error> {
    check::value(attr.kind, value).map_err(|reason| match attr.kind {
        // Neutron converts these before it validates, and says so.
        Kind::Flag => fault::invalid_input(reason),
        Kind::Int(..) | Kind::IntOrNull(..) if reason.ends_with("not an integer") => {
            fault::invalid_input(format!("'{}' is not an integer", shown(value)))
        }
        _ => Error::bad_request(format!("Invalid input for {}. Reason: {reason}.", attr.name))
            .code("HTTPBadRequest"),
    })
}
