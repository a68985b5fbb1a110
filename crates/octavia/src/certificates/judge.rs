//! References, judged when somebody gives them.

use barbican::reading::Reader;
use base::{Ctx, Error, Result};
use db::AnyConnection;

use super::bundle::{self, Refusal};
use super::{authority, load};
use crate::request::{Fields, Look};
use crate::{Octavia, fault};

/// What came of it: nothing, or the refusal's message. It is found before a change's transaction, which it would
/// hold up, and told inside, after what else may be wrong.
#[derive(Debug, Clone, Default)]
pub struct Verdict(Option<String>);

impl Verdict {
    pub fn check(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |message| Err(Error::bad_request(message.clone())))
    }
}

/// The names under which a listener and a pool refer to certificates.
struct Names {
    own: &'static str,
    others: &'static str,
    authority: &'static str,
    revoked: &'static str,
}

const LISTENER: Names = Names {
    own: "default_tls_container_ref",
    others: "sni_container_refs",
    authority: "client_ca_tls_container_ref",
    revoked: "client_crl_container_ref",
};
const POOL: Names = Names {
    own: "tls_container_ref",
    others: "",
    authority: "ca_tls_container_ref",
    revoked: "crl_container_ref",
};

/// `before`: what a listener that is changed had.
pub async fn listener(app: &Octavia, ctx: &Ctx, before: Option<&Fields>, given: &Fields) -> Result<Verdict> {
    judge(app, ctx, &LISTENER, before, given).await
}

pub async fn pool(app: &Octavia, ctx: &Ctx, before: Option<&Fields>, given: &Fields) -> Result<Verdict> {
    judge(app, ctx, &POOL, before, given).await
}

/// All listeners and pools of a load balancer that is created whole.
pub async fn whole(app: &Octavia, ctx: &Ctx, fields: &Fields) -> Result<Verdict> {
    let objects = |name: &str| -> Vec<Fields> {
        fields.list(name).iter().filter_map(|one| one.as_object().cloned()).collect()
    };
    let (listeners, mut pools) = (objects("listeners"), objects("pools"));
    for one in &listeners {
        let policies = one.list("l7policies").iter().filter_map(|policy| policy.get("redirect_pool"));
        let more = one.get("default_pool").into_iter().chain(policies);
        pools.extend(more.filter_map(|pool| pool.as_object().cloned()));
        let verdict = listener(app, ctx, None, one).await?;
        if verdict.0.is_some() {
            return Ok(verdict);
        }
    }
    for one in &pools {
        let verdict = pool(app, ctx, None, one).await?;
        if verdict.0.is_some() {
            return Ok(verdict);
        }
    }
    Ok(Verdict::default())
}

async fn judge(
    app: &Octavia,
    ctx: &Ctx,
    names: &Names,
    before: Option<&Fields>,
    given: &Fields,
) -> Result<Verdict> {
    let mut own: Vec<&str> = load::texts(given.list(names.others)).collect();
    own.extend(Some(given.text(names.own)).filter(|one| !one.is_empty()));
    let asked = [names.authority, names.revoked].iter().any(|name| given.is_set(name));
    if own.is_empty() && !asked {
        return Ok(Verdict::default());
    }
    let conn = &mut *app.db.read().await?;
    let (mut bad, mut refused) = (Vec::new(), None);
    for reference in own {
        match certificate(app, conn, ctx, reference).await? {
            Ok(_) => {}
            Err(Refusal::Pkcs12(error)) => {
                return Ok(Verdict(Some(fault::pkcs12(&error).message)));
            }
            Err(Refusal::Unreadable) => bad.push(reference),
            Err(Refusal::Nameless) => refused = Some(fault::nameless().message),
            // It is there, and is of no use: Octavia names it alone.
            Err(Refusal::Keyless) => refused = Some(format!("Could not retrieve certificate: {reference}")),
        }
    }
    if !bad.is_empty() {
        return Ok(Verdict(Some(fault::certificate(&bad).message)));
    }
    if refused.is_some() || !asked {
        return Ok(Verdict(refused));
    }
    let merged = |name: &str| match given.text(name) {
        "" => before.map_or("", |before| before.text(name)).to_owned(),
        text => text.to_owned(),
    };
    let (authority, revoked) = (merged(names.authority), merged(names.revoked));
    if authority.is_empty() {
        // A list without a signer is refused by the rules.
        return Ok(Verdict::default());
    }
    Ok(Verdict(signer(app, conn, ctx, &authority, &revoked).await?))
}

/// The bundle, when the reference is that of one which the caller may use.
async fn certificate(
    app: &Octavia,
    conn: &mut AnyConnection,
    ctx: &Ctx,
    reference: &str,
) -> Result<std::result::Result<String, Refusal>> {
    match app.barbican.found(conn, Reader::User(ctx), reference).await {
        Ok(found) => bundle::of(found).await,
        Err(e) if e.kind == base::Kind::Internal => Err(e),
        Err(_) => Ok(Err(Refusal::Unreadable)),
    }
}

async fn signer(
    app: &Octavia,
    conn: &mut AnyConnection,
    ctx: &Ctx,
    authority: &str,
    revoked: &str,
) -> Result<Option<String>> {
    let (mut payloads, mut bad) = (Vec::new(), Vec::new());
    for reference in [authority, revoked].into_iter().filter(|one| !one.is_empty()) {
        match app.barbican.payload_of(conn, Reader::User(ctx), reference).await {
            Ok(bytes) => payloads.push(bytes),
            Err(e) if e.kind == base::Kind::Internal => return Err(e),
            Err(_) => bad.push(reference),
        }
    }
    if !bad.is_empty() {
        return Ok(Some(fault::certificate(&bad).message));
    }
    let [authority, rest @ ..] = payloads.as_slice() else { return Ok(None) };
    let checked = authority::check(authority, rest.first().map(Vec::as_slice));
    Ok(checked.err().map(|detail| fault::invalid(detail).message))
}
