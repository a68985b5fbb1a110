//! The body of POST /v3/auth/tokens, parsed.

use base::Error;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::errors::expecting;
use crate::schema::{Fields, wrong_type};

pub struct AuthRequest {
    /// In the order asked; each must succeed and name the same user.
    pub proofs: Vec<Proof>,
    /// None: the user's default project, if there is one.
    pub scope: Option<ScopeSpec>,
}

pub enum Proof {
    Password {
        user: UserSpec,
        password: SecretString,
    },
    Token(String),
    /// Of an authenticator app.
    Passcode {
        user: UserSpec,
        passcode: SecretString,
    },
    ApplicationCredential {
        credential: CredentialSpec,
        secret: SecretString,
    },
    /// The signature is in the request's header.
    OAuth,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainSpec {
    Id(String),
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSpec {
    Id(String),
    Name(String, DomainSpec),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSpec {
    Id(String),
    Name(String, UserSpec),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeSpec {
    Unscoped,
    Project(String),
    ProjectName(String, DomainSpec),
    Domain(DomainSpec),
    System,
    Trust(String),
}

impl AuthRequest {
    pub fn parse(body: Value) -> Result<Self, Error> {
        let mut auth = Fields::of(body, "auth")?;
        let mut identity = auth.object("identity")?.ok_or_else(|| Fields::required("identity"))?;
        let methods = match identity.shift_remove("methods") {
            Some(Value::Array(methods)) => methods,
            Some(other) => return Err(wrong_type("identity/methods", &other, "'array'")),
            None => return Err(Fields::required("methods")),
        };
        let mut proofs = Vec::new();
        for method in methods {
            let Value::String(method) = method else {
                return Err(wrong_type("identity/methods", &method, "'string'"));
            };
            let data = match identity.shift_remove(&method) {
                Some(Value::Object(data)) => data,
                Some(other) => return Err(wrong_type(&method, &other, "'object'")),
                None => return Err(expecting(&method, "identity")),
            };
            proofs.push(proof(&method, data)?);
        }
        if proofs.is_empty() {
            return Err(crate::errors::unauthorized().because("no authentication method was given"));
        }
        Ok(AuthRequest { proofs, scope: scope(auth.take("scope"))? })
    }
}

fn proof(method: &str, mut data: Map<String, Value>) -> Result<Proof, Error> {
    match method {
        "password" => {
            let mut user = object(&mut data, "user", "password")?;
            let password = text(&mut user, "password")?.unwrap_or_default();
            Ok(Proof::Password { user: user_spec(user)?, password: password.into() })
        }
        "token" => Ok(Proof::Token(text(&mut data, "id")?.ok_or_else(|| expecting("id", "token"))?)),
        "application_credential" => {
            let secret = text(&mut data, "secret")?.unwrap_or_default();
            let credential = match (text(&mut data, "id")?, text(&mut data, "name")?) {
                (Some(id), _) => CredentialSpec::Id(id),
                (None, Some(name)) => CredentialSpec::Name(
                    name,
                    user_spec(object(&mut data, "user", "application_credential")?)?,
                ),
                (None, None) => return Err(expecting("id or name", "application credential")),
            };
            Ok(Proof::ApplicationCredential { credential, secret: secret.into() })
        }
        "totp" => {
            let mut user = object(&mut data, "user", "totp")?;
            let passcode = text(&mut user, "passcode")?.unwrap_or_default();
            Ok(Proof::Passcode { user: user_spec(user)?, passcode: passcode.into() })
        }
        "oauth1" => Ok(Proof::OAuth),
        _ => Err(Error::unauthorized("Attempted to authenticate with an unsupported method.")),
    }
}

fn user_spec(mut user: Map<String, Value>) -> Result<UserSpec, Error> {
    match (text(&mut user, "name")?, text(&mut user, "id")?) {
        (Some(name), _) => Ok(UserSpec::Name(name, domain_spec(object(&mut user, "domain", "user")?)?)),
        (None, Some(id)) => Ok(UserSpec::Id(id)),
        (None, None) => Err(expecting("id or name", "user")),
    }
}

fn domain_spec(mut domain: Map<String, Value>) -> Result<DomainSpec, Error> {
    match (text(&mut domain, "name")?, text(&mut domain, "id")?) {
        (Some(name), _) => Ok(DomainSpec::Name(name)),
        (None, Some(id)) => Ok(DomainSpec::Id(id)),
        (None, None) => Err(expecting("id or name", "domain")),
    }
}

fn scope(value: Option<Value>) -> Result<Option<ScopeSpec>, Error> {
    let mut scope = match value {
        None => return Ok(None),
        Some(Value::String(text)) if text == "unscoped" => return Ok(Some(ScopeSpec::Unscoped)),
        Some(Value::Object(scope)) => scope,
        Some(other) => return Err(wrong_type("scope", &other, "'object', 'string'")),
    };
    const KINDS: [&str; 5] = ["project", "domain", "OS-TRUST:trust", "unscoped", "system"];
    if KINDS.iter().filter(|kind| scope.contains_key(**kind)).count() > 1 {
        return Err(expecting("project, domain, OS-TRUST:trust or unscoped", "scope"));
    }
    if scope.contains_key("unscoped") {
        return Ok(Some(ScopeSpec::Unscoped));
    }
    if scope.contains_key("OS-TRUST:trust") {
        let mut trust = object(&mut scope, "OS-TRUST:trust", "scope")?;
        return match text(&mut trust, "id")? {
            Some(id) => Ok(Some(ScopeSpec::Trust(id))),
            None => Err(expecting("trust_id", "trust")),
        };
    }
    if let Some(system) = scope.shift_remove("system") {
        let all = system.get("all").and_then(Value::as_bool);
        return if all == Some(true) { Ok(Some(ScopeSpec::System)) } else { Err(expecting("all", "system")) };
    }
    if scope.contains_key("domain") {
        return Ok(Some(ScopeSpec::Domain(domain_spec(object(&mut scope, "domain", "scope")?)?)));
    }
    if scope.contains_key("project") {
        let mut project = object(&mut scope, "project", "scope")?;
        return match (text(&mut project, "name")?, text(&mut project, "id")?) {
            (Some(name), _) => {
                let domain = domain_spec(object(&mut project, "domain", "project")?)?;
                Ok(Some(ScopeSpec::ProjectName(name, domain)))
            }
            (None, Some(id)) => Ok(Some(ScopeSpec::Project(id))),
            (None, None) => Err(expecting("id or name", "project")),
        };
    }
    Ok(None)
}

fn object(map: &mut Map<String, Value>, key: &str, parent: &str) -> Result<Map<String, Value>, Error> {
    match map.shift_remove(key) {
        Some(Value::Object(object)) => Ok(object),
        Some(other) => Err(wrong_type(key, &other, "'object'")),
        None => Err(expecting(key, parent)),
    }
}

/// Null counts as absent; nothing that may be secret gets into a message.
fn text(map: &mut Map<String, Value>, key: &str) -> Result<Option<String>, Error> {
    match map.shift_remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::bad_request(format!("Invalid input for field '{key}': not of type 'string'"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse_scope(scope: Value) -> Result<Option<ScopeSpec>, Error> {
        super::scope(Some(scope))
    }

    #[test]
    fn scopes() {
        let default = DomainSpec::Id("default".into());
        assert_eq!(
            parse_scope(json!({"project": {"name": "p", "domain": {"id": "default"}}})).unwrap(),
            Some(ScopeSpec::ProjectName("p".into(), default.clone()))
        );
        assert_eq!(
            parse_scope(json!({"domain": {"id": "default"}})).unwrap(),
            Some(ScopeSpec::Domain(default))
        );
        assert_eq!(parse_scope(json!({"system": {"all": true}})).unwrap(), Some(ScopeSpec::System));
        assert_eq!(parse_scope(json!("unscoped")).unwrap(), Some(ScopeSpec::Unscoped));
        assert_eq!(parse_scope(json!({"unscoped": {}})).unwrap(), Some(ScopeSpec::Unscoped));
        let trust = parse_scope(json!({"OS-TRUST:trust": {"id": "t"}})).unwrap();
        assert_eq!(trust, Some(ScopeSpec::Trust("t".into())));
        assert_eq!(parse_scope(json!({})).unwrap(), None);
        for bad in [
            json!({"project": {"id": "p"}, "domain": {"id": "d"}}),
            json!({"project": {"name": "p"}}),
            json!({"project": {}}),
            json!({"project": "p"}),
            json!({"system": {}}),
            json!({"OS-TRUST:trust": {}}),
            json!(7),
        ] {
            assert_eq!(parse_scope(bad.clone()).unwrap_err().kind, base::Kind::BadRequest, "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_repeated_in_a_message() {
        let body = json!({"auth": {"identity": {"methods": ["password"],
            "password": {"user": {"id": "u", "password": ["hunter2"]}}}}});
        let error = AuthRequest::parse(body).err().unwrap();
        assert!(error.kind == base::Kind::BadRequest && !error.message.contains("hunter2"));
    }

    #[test]
    fn methods_need_their_data() {
        let parse =
            |identity: Value| AuthRequest::parse(json!({"auth": {"identity": identity}})).err().unwrap().kind;
        assert_eq!(parse(json!({"methods": ["password"]})), base::Kind::BadRequest);
        assert_eq!(parse(json!({"methods": []})), base::Kind::Unauthorized);
        assert_eq!(parse(json!({"methods": ["magic"], "magic": {}})), base::Kind::Unauthorized);
        assert_eq!(parse(json!({})), base::Kind::BadRequest);
    }
}
