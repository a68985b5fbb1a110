//! Who may look at and end tokens.

use base::Policy as Route;
use base::Rule;

use crate::access::{Policy, Who};

pub static ISSUE: Route = Route::new("identity:issue_token", Rule::Public);
pub static ISSUE_TO_CLIENT: Route = Route::new("identity:issue_access_token", Rule::Public);
pub static VALIDATE: Policy =
    Policy::new("identity:validate_token", &[Who::Admin, Who::SystemReader, Who::Service, Who::Owner]);
pub static CHECK: Policy = Policy::new("identity:check_token", &[Who::Admin, Who::SystemReader, Who::Owner]);
pub static REVOKE: Policy = Policy::new("identity:revoke_token", &[Who::Admin, Who::Owner]);
pub static CATALOG: Policy = Policy::new("identity:get_auth_catalog", &[Who::Anyone]);
pub static PROJECTS: Policy = Policy::new("identity:get_auth_projects", &[Who::Anyone]);
pub static DOMAINS: Policy = Policy::new("identity:get_auth_domains", &[Who::Anyone]);
pub static SYSTEM: Policy = Policy::new("identity:get_auth_system", &[Who::Anyone]);
const SERVICES: &[Who] = &[Who::Admin, Who::Service];
pub static EC2: Policy = Policy::new("identity:ec2tokens_validate", SERVICES);
pub static S3: Policy = Policy::new("identity:s3tokens_validate", SERVICES);
pub static LIST_REVOCATIONS: Policy = Policy::of_cloud("identity:list_revoke_events", SERVICES);
