//! POST /v3/users/{id}/password: users change their own, proving that they know the old one.

use base::{Auth, Ctx, Error, Scope, UserRef};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::sync::Arc;
use web::{Json, Path, Result, State};

use super::store::NewPassword;
use super::{User, rules, store};
use crate::errors::unauthorized;
use crate::schema::{Fields, invalid};
use crate::tokens::revocation::{self, Subject};
use crate::{Service, change, domains};

fn secret(fields: &mut Fields, key: &str) -> Result<SecretString, Error> {
    match fields.take(key) {
        Some(Value::String(text)) => Ok(text.into()),
        // Never repeat what may be a password.
        Some(_) => Err(invalid(key, "not of type 'string'")),
        None => Err(Fields::required(key)),
    }
}

pub async fn change(State(keystone): Service, Path(id): Path<String>, Json(body): Json<Value>) -> Result {
    let mut fields = Fields::of(body, "user")?;
    let original = secret(&mut fields, "original_password")?;
    let password = secret(&mut fields, "password")?;
    let (user, domain) = {
        let mut conn = keystone.db.read().await?;
        let user = store::get(&mut conn, &id).await?;
        let domain = match &user {
            Some(user) => domains::store::get(&mut conn, &user.domain_id).await?,
            None => None,
        };
        (user, domain)
    };
    // An expired password is still good for this.
    let user =
        keystone.check_password(user, original).await?.filter(|u| u.enabled).ok_or_else(unauthorized)?;
    keystone.forget_failures(&user).await?;
    let domain = domain.filter(|d| d.enabled).ok_or_else(unauthorized)?;
    rules::check_own_password_change(&user)?;
    let security = &keystone.security;
    security.check_strength(password.expose_secret())?;
    security.check_age(user.password_changed_at, base::time::now())?;
    if security.history() > 0 {
        let had = store::passwords(&mut *keystone.db.read().await?, &id).await?;
        for hash in had {
            if keystone.passwords.verify(password.clone(), Some(hash)).await? {
                return Err(security.reused().into());
            }
        }
    }
    let new = NewPassword {
        hash: Some(keystone.passwords.hash(password).await?),
        expires_at: security.expiry(&user, false, base::time::now()),
        history: security.history(),
    };
    let ttl = keystone.token_ttl;
    let ctx = own(&user, &domain.name);
    change!(keystone, &ctx, "user.change_password", &id, |tx| {
        revocation::revoke(tx, Subject::User(&id), ttl).await?;
        Ok(store::set_password(tx, &id, &new).await?)
    })?;
    Ok(web::no_content(204))
}

/// There is no token: the user acts as what the old password proved.
fn own(user: &User, domain_name: &str) -> Ctx {
    let domain = base::DomainRef { id: user.domain_id.clone(), name: domain_name.to_owned() };
    Ctx {
        auth: Arc::new(Auth {
            user: UserRef { id: user.id.clone(), name: user.name.clone(), domain },
            scope: Scope::Unscoped,
            roles: Vec::new(),
            expires_at: jiff::Timestamp::MAX,
            is_admin: false,
        }),
        request_id: base::id::request_id().into(),
        microversion: Default::default(),
    }
}
