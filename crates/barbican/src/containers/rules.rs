//! What a new container must be.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base::{Ctx, Error, Result};
use serde_json::{Value, json};
use web::Origin;
use web::schema::Schema;

use super::{Container, Member};
use crate::access::Owned;
use crate::body::{self, invalid};
use crate::refs;

const NAME: &str = "Container";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"], "maxLength": 255},
            "type": {"type": "string", "enum": ["generic", "rsa", "certificate"]},
            "secret_refs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["secret_ref"],
                    "properties": {
                        "name": {"type": ["string", "null"], "maxLength": 255},
                        "secret_ref": {"type": "string", "minLength": 1},
                    },
                },
            },
        },
        "required": ["type"],
    }))
});

static MEMBER: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 255},
            "secret_ref": {"type": "string", "minLength": 1},
        },
        "required": ["secret_ref"],
    }))
});

fn named(wanted: &Value) -> Member {
    let text = |key: &str| wanted[key].as_str().unwrap_or_default();
    Member { name: text("name").into(), secret_id: refs::id(text("secret_ref")).into() }
}

/// One secret for a container that is there.
pub fn member(wanted: &Value) -> Result<Member> {
    body::check(&MEMBER, "ContainerSecret", wanted)?;
    Ok(named(wanted))
}

pub fn new(ctx: &Ctx, project: &str, origin: &Origin, wanted: &Value) -> Result<Container> {
    body::check(&SCHEMA, NAME, wanted)?;
    let references = wanted["secret_refs"].as_array().map_or(&[][..], Vec::as_slice);
    let secrets: Vec<Member> = references.iter().map(named).collect();
    let kind = wanted["type"].as_str().unwrap_or_default();
    if !secrets.is_empty() {
        let refused = |reason: &str| invalid(NAME, reason, "secret_refs");
        let names: BTreeSet<&str> = secrets.iter().map(|member| member.name.as_str()).collect();
        if names.len() < secrets.len() {
            return Err(refused("Duplicate reference names are not allowed"));
        }
        let ids: BTreeSet<&str> = secrets.iter().map(|member| member.secret_id.as_str()).collect();
        if ids.len() < secrets.len() {
            return Err(refused("Duplicate secret ids are not allowed"));
        }
        let ours = |reference: &Value| {
            reference["secret_ref"].as_str().is_some_and(|text| text.starts_with(&origin.0))
        };
        if !references.iter().all(ours) {
            return Err(Error::bad_request("Provided field value is not supported"));
        }
        if let Some(reason) = misnamed(kind, &names) {
            return Err(refused(reason));
        }
    }
    let now = base::time::now();
    Ok(Container {
        id: base::id::uuid(),
        owned: Owned { project_id: project.into(), creator_id: ctx.user_id().into(), acl: None },
        name: wanted["name"].as_str().map(Into::into),
        kind: kind.into(),
        secrets,
        created_at: now,
        updated_at: now,
    })
}

/// Why these names are not those of such a container.
fn misnamed(kind: &str, names: &BTreeSet<&str>) -> Option<&'static str> {
    let only = |allowed: &[&str]| names.iter().all(|name| allowed.contains(name));
    match kind {
        "rsa" if !only(&["public_key", "private_key", "private_key_passphrase"]) => Some(
            "only 'private_key', 'public_key' and 'private_key_passphrase' reference names are allowed for RSA type",
        ),
        "rsa" if !(names.contains("public_key") && names.contains("private_key")) => {
            Some("The minimum required reference names are 'public_key' and'private_key' for RSA type")
        }
        "certificate"
            if !only(&["certificate", "private_key", "private_key_passphrase", "intermediates"]) =>
        {
            Some(
                "only 'private_key', 'certificate' , 'private_key_passphrase',  or 'intermediates' reference names \
                 are allowed for Certificate type",
            )
        }
        "certificate" if !names.contains("certificate") => {
            Some("The minimum required reference name is 'certificate' for Certificate type")
        }
        _ => None,
    }
}

pub fn not_found() -> Error {
    Error::not_found("Secrets container not found.")
}

/// Of an id that is none.
pub fn bad_id() -> Error {
    Error::not_found("Not Found. Provided container id is invalid.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str, names: &[&str]) -> Option<String> {
        let refs: Vec<Value> = names
            .iter()
            .enumerate()
            .map(|(n, name)| json!({"name": name, "secret_ref": format!("http://h/v1/secrets/{n}")}))
            .collect();
        let wanted = json!({"type": kind, "secret_refs": refs});
        new(&Ctx::internal("test"), "p", &Origin("http://h".into()), &wanted).err().map(|e| e.message)
    }

    #[test]
    fn a_container_has_the_names_of_its_type() {
        assert_eq!(refused("certificate", &["certificate", "private_key"]), None);
        assert_eq!(refused("rsa", &["public_key", "private_key", "private_key_passphrase"]), None);
        assert_eq!(refused("generic", &["whatever", "else"]), None);
        assert_eq!(refused("generic", &[]), None);
        for (kind, names, part) in [
            ("certificate", &["private_key"][..], "minimum required reference name is"),
            ("certificate", &["certificate", "extra"], "reference names are allowed for Certificate"),
            ("rsa", &["public_key"], "minimum required reference names"),
            ("rsa", &["public_key", "private_key", "more"], "allowed for RSA"),
            ("generic", &["a", "a"], "Duplicate reference names"),
        ] {
            let message = refused(kind, names).unwrap();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn secrets_of_other_clouds_are_refused() {
        let wanted =
            json!({"type": "generic", "secret_refs": [{"secret_ref": "http://elsewhere/v1/secrets/x"}]});
        let error = new(&Ctx::internal("test"), "p", &Origin("http://h".into()), &wanted).unwrap_err();
        assert_eq!(error.message, "Provided field value is not supported");
    }
}
