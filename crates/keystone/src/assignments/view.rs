//! Assignments as JSON.

use std::collections::HashMap;

use serde_json::{Value, json};
use web::Origin;

use super::rules::Entry;
use super::{Actor, Assignment, Place};
use crate::listing::url;

/// id -> (name, domain id), for `include_names`.
#[derive(Default)]
pub struct Names {
    pub users: HashMap<String, (String, String)>,
    pub groups: HashMap<String, (String, String)>,
    pub projects: HashMap<String, (String, String)>,
    pub roles: HashMap<String, (String, String)>,
    pub domains: HashMap<String, String>,
}

impl Names {
    fn named(&self, id: &str, known: &HashMap<String, (String, String)>) -> Value {
        let mut view = json!({"id": id});
        if let Some((name, domain)) = known.get(id) {
            view["name"] = json!(name);
            if let Some(domain_name) = self.domains.get(domain) {
                view["domain"] = json!({"id": domain, "name": domain_name});
            }
        }
        view
    }
}

fn path(assignment: &Assignment) -> String {
    let place = match &assignment.place {
        Place::Project(id) => format!("projects/{id}"),
        Place::Domain(id) => format!("domains/{id}"),
        Place::System => "system".into(),
    };
    let tail = format!("{}s/{}/roles/{}", assignment.actor.kind(), assignment.actor.id(), assignment.role_id);
    if assignment.inherited {
        format!("OS-INHERIT/{place}/{tail}/inherited_to_projects")
    } else {
        format!("{place}/{tail}")
    }
}

pub fn entry(entry: &Entry, names: Option<&Names>, origin: &Origin) -> Value {
    let id_only = Names::default();
    let names = names.unwrap_or(&id_only);
    let shown = &entry.shown;
    let mut scope = match &shown.place {
        Place::Project(id) => json!({"project": names.named(id, &names.projects)}),
        Place::Domain(id) => {
            let mut domain = json!({"id": id});
            if let Some(name) = names.domains.get(id) {
                domain["name"] = json!(name);
            }
            json!({"domain": domain})
        }
        Place::System => json!({"system": {"all": true}}),
    };
    if entry.source.inherited {
        scope["OS-INHERIT:inherited_to"] = json!("projects");
    }
    let mut links = json!({"assignment": url(origin, &path(&entry.source))});
    let mut view = json!({"role": names.named(&shown.role_id, &names.roles), "scope": scope});
    match &shown.actor {
        Actor::User(id) => {
            view["user"] = names.named(id, &names.users);
            if let Actor::Group(group) = &entry.source.actor {
                links["membership"] = json!(url(origin, &format!("groups/{group}/users/{id}")));
            }
        }
        Actor::Group(id) => view["group"] = names.named(id, &names.groups),
    }
    if let Some(prior) = &entry.prior_role {
        links["prior_role"] = json!(url(origin, &format!("prior_role/{prior}/implies/{}", shown.role_id)));
    }
    view["links"] = links;
    view
}
