//! What ends tokens before their time.

use db::{AnyConnection, FromRow, Row, sql};

use super::{Claims, ScopeId};

/// Whose tokens.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// One token, by its audit id.
    Token(&'a [u8; 16]),
    User(&'a str),
    Project(&'a str),
    /// Of the users of a domain, and those for it or for its projects.
    Domain(&'a str),
}

/// What was ended, as rows have it.
pub struct Revoked {
    /// audit, user, project, domain.
    pub kind: String,
    pub subject: String,
    pub issued_before: i64,
}

impl FromRow for Revoked {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Revoked {
            kind: row.text("kind")?,
            subject: row.text("subject")?,
            issued_before: row.int("issued_before")?,
        })
    }
}

/// What ended then or later.
pub(super) async fn since(conn: &mut AnyConnection, instant: i64) -> db::Result<Vec<Revoked>> {
    sql("SELECT kind, subject, issued_before FROM identity_revocation WHERE issued_before >= $1 \
         ORDER BY issued_before, subject")
    .bind(instant)
    .rows(conn)
    .await
}

/// The last instant, now or later, up to which the tokens of some user, project or domain were ended.
pub(super) async fn last_since(conn: &mut AnyConnection, now: i64) -> db::Result<Option<i64>> {
    let last = sql("SELECT COALESCE(MAX(issued_before), 0) FROM identity_revocation \
                    WHERE issued_before >= $1 AND kind <> 'audit'")
    .bind(now)
    .number(conn)
    .await?;
    Ok((last > 0).then_some(last))
}

/// Tokens that were issued after it are not revoked. 0: none is.
pub async fn last(conn: &mut AnyConnection) -> db::Result<i64> {
    sql("SELECT COALESCE(MAX(issued_before), 0) FROM identity_revocation").number(conn).await
}

/// How an audit id is shown: 22 characters.
pub fn audit_text(id: &[u8; 16]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(id)
}

/// Ends all tokens of `subject` that exist now. `ttl`: how long tokens live; afterwards the row is of no use.
pub async fn revoke(conn: &mut AnyConnection, subject: Subject<'_>, ttl: i64) -> db::Result<()> {
    let (kind, id) = match subject {
        Subject::Token(id) => ("audit", audit_text(id)),
        Subject::User(id) => ("user", id.to_owned()),
        Subject::Project(id) => ("project", id.to_owned()),
        Subject::Domain(id) => ("domain", id.to_owned()),
    };
    let now = base::time::now();
    sql("DELETE FROM identity_revocation WHERE forget_at < $1").bind(now).run(conn).await?;
    // Validation with allow_expired may come long after the end of a token.
    let forget_at = now.saturating_add(ttl).saturating_add(super::api::ALLOW_EXPIRED_MICROS);
    sql("INSERT INTO identity_revocation (id, kind, subject, issued_before, forget_at) \
         VALUES ($1, $2, $3, $4, $5)")
    .bind(base::id::hex())
    .bind(kind)
    .bind(id)
    .bind(now)
    .bind(forget_at)
    .run(conn)
    .await?;
    Ok(())
}

/// `domains`: that of the user and, if there is one, that of the scope.
pub(super) async fn is_revoked(
    conn: &mut AnyConnection,
    claims: &Claims,
    domains: [&str; 2],
) -> db::Result<bool> {
    let project = match &claims.scope {
        ScopeId::Project(id) => id.as_str(),
        _ => "",
    };
    sql("SELECT id FROM identity_revocation WHERE issued_before >= $1 AND (\
         (kind = 'audit' AND subject = $2) OR (kind = 'user' AND subject = $3) OR \
         (kind = 'project' AND subject = $4) OR (kind = 'domain' AND subject IN ($5, $6))) LIMIT 1")
    .bind(claims.issued_at)
    .bind(audit_text(&claims.audit_id))
    .bind(claims.user_id.as_str())
    .bind(project)
    .bind(domains[0])
    .bind(domains[1])
    .exists(conn)
    .await
}
