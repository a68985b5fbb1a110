//! Trusts as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::Trust;
use crate::listing::url;
use crate::roles::rules::RoleBook;
use crate::roles::{self, Role};
use crate::schema::with_extra;

/// As in lists: without the roles.
pub fn trust(trust: &Trust, origin: &Origin) -> Value {
    let view = json!({
        "id": trust.id,
        "trustor_user_id": trust.trustor_user_id,
        "trustee_user_id": trust.trustee_user_id,
        "project_id": trust.project_id,
        "impersonation": trust.impersonation,
        "expires_at": trust.expires_at.map(base::time::micros_z),
        "remaining_uses": trust.remaining_uses,
        "deleted_at": null,
        "redelegated_trust_id": trust.redelegated_trust_id,
        "redelegation_count": trust.redelegation_count,
        "links": {"self": url(origin, &format!("OS-TRUST/trusts/{}", trust.id))},
    });
    with_extra(view, &trust.extra)
}

pub fn with_roles(of: &Trust, book: &RoleBook, origin: &Origin) -> Value {
    let mut view = trust(of, origin);
    view["roles"] = delegated(of, book).map(|role| roles::view::role(role, origin)).collect();
    view["roles_links"] = roles_links(of, origin);
    view
}

pub fn roles_links(trust: &Trust, origin: &Origin) -> Value {
    let link = url(origin, &format!("OS-TRUST/trusts/{}/roles", trust.id));
    json!({"self": link, "next": null, "previous": null})
}

pub fn delegated<'a>(trust: &'a Trust, book: &'a RoleBook) -> impl Iterator<Item = &'a Role> {
    trust.role_ids.iter().filter_map(|id| book.get(id))
}
