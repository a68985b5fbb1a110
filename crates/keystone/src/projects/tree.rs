//! `?parents_as_list`, `?parents_as_ids`, `?subtree_as_list`, `?subtree_as_ids` of GET /v3/projects/{id}.

use base::Error;
use db::AnyConnection;
use serde_json::{Map, Value, json};
use web::{Origin, Params};

use super::{Project, store, view};

/// Adds what the query asks for to the project's view. Lists hold only what `visible` says.
pub async fn add(
    conn: &mut AnyConnection,
    project: &Project,
    params: &Params,
    origin: &Origin,
    into: &mut Value,
    visible: impl Fn(&Project) -> bool,
) -> Result<(), Error> {
    for (one, other) in [("parents_as_list", "parents_as_ids"), ("subtree_as_list", "subtree_as_ids")] {
        if params.has(one) && params.has(other) {
            return Err(Error::bad_request(format!(
                "Cannot use {one} and {other} query params at the same time."
            )));
        }
    }
    let listed = |projects: &[Project]| -> Value {
        let shown = projects.iter().filter(|p| visible(p));
        shown.map(|p| json!({"project": view::project(p, origin)})).collect()
    };
    if params.has("parents_as_list") || params.has("parents_as_ids") {
        let parents = store::ancestors(conn, &project.id).await?;
        into["parents"] = if params.has("parents_as_list") {
            let projects: Vec<Project> = parents.into_iter().filter(|p| !p.is_domain).collect();
            listed(&projects)
        } else {
            parents.iter().rev().fold(Value::Null, |below, p| json!({p.id.as_str(): below}))
        };
    }
    if params.has("subtree_as_list") || params.has("subtree_as_ids") {
        let subtree = store::subtree(conn, &project.id).await?;
        into["subtree"] =
            if params.has("subtree_as_list") { listed(&subtree) } else { ids_below(&project.id, &subtree) };
    }
    Ok(())
}

/// `{child: {grandchild: null}}`, null where nothing is below.
fn ids_below(id: &str, subtree: &[Project]) -> Value {
    let children: Map<String, Value> = subtree
        .iter()
        .filter(|p| p.parent_id.as_deref() == Some(id))
        .map(|p| (p.id.clone(), ids_below(&p.id, subtree)))
        .collect();
    if children.is_empty() { Value::Null } else { Value::Object(children) }
}
