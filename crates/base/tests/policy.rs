//! Rules against roles and scopes.
#![allow(clippy::unwrap_used)]

use base::{Auth, DomainRef, Policy, ProjectRef, Rule, Scope, UserRef};

fn domain() -> DomainRef {
    DomainRef { id: "default".into(), name: "Default".into() }
}

fn auth(scope: Scope, roles: &[&str]) -> Auth {
    Auth {
        user: UserRef { id: "u".into(), name: "u".into(), domain: domain() },
        scope,
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        expires_at: jiff::Timestamp::MAX,
        is_admin: roles.contains(&"admin"),
    }
}

fn in_project(id: &str, roles: &[&str]) -> Auth {
    auth(Scope::Project(ProjectRef { id: id.into(), name: id.into(), domain: domain() }), roles)
}

fn passes(rule: Rule, auth: &Auth, owner: Option<&str>) -> bool {
    Policy::new("do:it", rule).check(auth, owner).is_ok()
}

#[test]
fn a_service_is_no_member() {
    let service = in_project("services", &["service"]);
    let reader = in_project("p", &["reader"]);
    let admin = in_project("x", &["admin", "member", "reader"]);
    for (rule, of_service, of_owner, of_admin) in [
        (Rule::ProjectReader, false, true, true),
        (Rule::ProjectReaderOrService, true, true, true),
        (Rule::ProjectMemberOrService, true, false, true),
        (Rule::Service, true, false, true),
        (Rule::ServiceAlone, true, false, false),
        (Rule::Reader, false, true, true),
    ] {
        assert_eq!(passes(rule, &service, Some("p")), of_service, "{rule:?}");
        assert_eq!(passes(rule, &reader, Some("p")), of_owner, "{rule:?}");
        assert_eq!(passes(rule, &admin, Some("p")), of_admin, "{rule:?}");
    }
    assert!(
        passes(Rule::Reader, &reader, Some("another"))
            && !passes(Rule::ProjectReader, &reader, Some("another"))
    );
}

#[test]
fn policies_for_projects_refuse_other_scopes() {
    let policy = |rule| Policy::new("do:it", rule);
    let everything = ["admin", "manager", "member", "reader", "service"];
    for scope in [Scope::System, Scope::Domain(domain())] {
        let auth = auth(scope, &everything);
        let refused = policy(Rule::Admin).check_is_for_project(&auth).unwrap_err();
        assert_eq!(refused.message, "Policy doesn't allow do:it to be performed.");
        assert!(policy(Rule::Authenticated).check_is_for_project(&auth).is_err());
        assert!(policy(Rule::Unchecked).check_is_for_project(&auth).is_ok());
        assert!(policy(Rule::Public).check_is_for_project(&auth).is_ok());
    }
    assert!(policy(Rule::Admin).check_is_for_project(&in_project("p", &everything)).is_ok());
    // As in oslo.policy, a token without a scope counts as one for a project; its roles are none.
    assert!(policy(Rule::Authenticated).check_is_for_project(&auth(Scope::Unscoped, &[])).is_ok());
}
