//! Who may manage projects, and what their tree allows.

use base::Error;
use serde_json::Value;

use super::Project;
use crate::access::{Policy, Target, Who};
use crate::schema::invalid;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::DomainReader];
const MEMBERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::DomainReader, Who::InProject];
const OWNERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::DomainReader, Who::Owner];
const MANAGERS: &[Who] = &[Who::Admin, Who::DomainManager];

pub static LIST: Policy = Policy::new("identity:list_projects", READERS);
pub static GET: Policy = Policy::new("identity:get_project", MEMBERS);
pub static LIST_OF_USER: Policy = Policy::new("identity:list_user_projects", OWNERS);
pub static CREATE: Policy = Policy::new("identity:create_project", MANAGERS);
pub static UPDATE: Policy = Policy::new("identity:update_project", MANAGERS);
pub static DELETE: Policy = Policy::new("identity:delete_project", MANAGERS);
pub static LIST_TAGS: Policy = Policy::new("identity:list_project_tags", MEMBERS);
pub static GET_TAG: Policy = Policy::new("identity:get_project_tag", MEMBERS);
pub static UPDATE_TAGS: Policy = Policy::new("identity:update_project_tags", MANAGERS);
pub static CREATE_TAG: Policy = Policy::new("identity:create_project_tag", MANAGERS);
pub static DELETE_TAGS: Policy = Policy::new("identity:delete_project_tags", MANAGERS);
pub static DELETE_TAG: Policy = Policy::new("identity:delete_project_tag", MANAGERS);

/// Keystone's max_project_tree_depth; the domain does not count.
const MAX_DEPTH: usize = 5;
const MAX_TAGS: usize = 80;

/// A domain belongs to no domain: its manager may manage what is in it, not the domain itself.
pub fn target(project: &Project) -> Target<'_> {
    let domain = (!project.is_domain).then_some(project.domain_id.as_str());
    Target { domain, project: Some(&project.id), ..Target::default() }
}

/// May a project be made below `parent`, whose own ancestors are given?
pub fn check_parent(parent: &Project, ancestors: &[Project]) -> Result<(), Error> {
    if std::iter::once(parent).chain(ancestors).any(|p| !p.enabled) {
        return Err(Error::forbidden(format!(
            "You are not authorized to perform the requested action: cannot create a project in a branch \
             containing a disabled project: {}.",
            parent.id
        )));
    }
    let depth = std::iter::once(parent).chain(ancestors).filter(|p| !p.is_domain).count() + 1;
    if depth > MAX_DEPTH {
        return Err(Error::forbidden(format!("Max hierarchy depth reached for {} branch.", parent.id)));
    }
    Ok(())
}

pub fn check_enable(project: &Project, ancestors: &[Project]) -> Result<(), Error> {
    // A disabled domain closes its projects by itself, so that only projects above count.
    if ancestors.iter().any(|p| !p.is_domain && !p.enabled) {
        return Err(Error::forbidden(format!(
            "Cannot enable project {} since it has disabled parents.",
            project.id
        )));
    }
    Ok(())
}

pub fn check_disable(project: &Project, subtree: &[Project]) -> Result<(), Error> {
    if subtree.iter().any(|p| p.enabled) {
        return Err(Error::forbidden(format!(
            "Cannot disable project {} since its subtree contains enabled projects.",
            project.id
        )));
    }
    Ok(())
}

pub fn check_delete(project: &Project, has_children: bool) -> Result<(), Error> {
    if has_children {
        return Err(Error::forbidden(format!(
            "Cannot delete the project {} since it is not a leaf in the hierarchy. Use the cascade option if you \
             want to delete a whole subtree.",
            project.id
        )));
    }
    Ok(())
}

pub fn tag(text: &str) -> Result<(), Error> {
    if text.is_empty() || text.chars().count() > 255 {
        return Err(invalid("tags", format!("'{text}' must have between 1 and 255 characters")));
    }
    if text.contains(['/', ',']) {
        return Err(invalid("tags", format!("'{text}' does not match '^[^,/]*$'")));
    }
    Ok(())
}

pub fn tags(values: &[Value]) -> Result<Vec<String>, Error> {
    let mut tags: Vec<String> = Vec::new();
    for value in values {
        let Value::String(text) = value else {
            return Err(crate::schema::wrong_type("tags", value, "'string'"));
        };
        tag(text)?;
        if tags.contains(text) {
            return Err(invalid("tags", "the list has non-unique elements"));
        }
        tags.push(text.clone());
    }
    check_count(&tags)?;
    Ok(tags)
}

pub fn check_count(tags: &[String]) -> Result<(), Error> {
    if tags.len() > MAX_TAGS {
        return Err(invalid("tags", format!("{} tags are too many; {MAX_TAGS} are allowed", tags.len())));
    }
    Ok(())
}

/// `tags`, `tags-any`, `not-tags` and `not-tags-any` of a list request: lists divided by commas.
pub fn matches_tags(project: &Project, params: &web::Params) -> bool {
    let wanted = |key: &str| -> Option<Vec<String>> {
        params.get(key).map(|v| v.split(',').map(str::to_owned).collect())
    };
    let has = |tag: &String| project.tags.contains(tag);
    wanted("tags").is_none_or(|t| t.iter().all(has))
        && wanted("tags-any").is_none_or(|t| t.iter().any(has))
        && wanted("not-tags").is_none_or(|t| !t.iter().all(has))
        && wanted("not-tags-any").is_none_or(|t| !t.iter().any(has))
}
