//! All routes, each with its policy.

use std::sync::Arc;

use web::{Gate, Router, Routes, Style};

use crate::{
    Keystone, application_credentials, assignments, catalog, credentials, discovery, domain_config, domains,
    endpoint_filter, gone, groups, limits, oauth, policies, projects, roles, tokens, trusts, users,
};

static SERVICE: web::Service = web::Service {
    name: "identity",
    style: Style::Keystone,
    microversions: None,
    legacy_header: None,
    for_projects: false,
};

impl Keystone {
    /// Paths without the mount prefix. `gate` is usually this very service.
    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = auth(routes);
        let routes = tree(routes);
        let routes = people(routes);
        let routes = role_routes(routes);
        let routes = grants(routes);
        let routes = inherited_grants(routes);
        let routes = catalog_routes(routes);
        let routes = secrets(routes);
        let routes = trust_routes(routes);
        let routes = settings(routes);
        let routes = filters(routes);
        let routes = gone::routes(routes);
        oauth_routes(routes).into_router()
    }
}

type R = Routes<Arc<Keystone>>;

fn auth(routes: R) -> R {
    use discovery::api as versions;
    use tokens::{api, auth_api, client_api, events_api, rules, signed_api};
    routes
        .get("/", &versions::VERSIONS, versions::all)
        .get("/v3", &versions::VERSIONS, versions::v3)
        .post("/v3/auth/tokens", &rules::ISSUE, api::issue)
        .get("/v3/auth/tokens", &rules::VALIDATE.route, api::validate)
        .head("/v3/auth/tokens", &rules::CHECK.route, api::check)
        .delete("/v3/auth/tokens", &rules::REVOKE.route, api::revoke)
        .post("/v3/OS-OAUTH2/token", &rules::ISSUE_TO_CLIENT, client_api::token)
        .post("/v3/ec2tokens", &rules::EC2.route, signed_api::ec2)
        .post("/v3/s3tokens", &rules::S3.route, signed_api::s3)
        .get("/v3/OS-REVOKE/events", &rules::LIST_REVOCATIONS.route, events_api::list)
        .get("/v3/auth/catalog", &rules::CATALOG.route, auth_api::catalog)
        .get("/v3/auth/projects", &rules::PROJECTS.route, auth_api::projects)
        .get("/v3/auth/domains", &rules::DOMAINS.route, auth_api::domains)
        .get("/v3/auth/system", &rules::SYSTEM.route, auth_api::system)
}

fn tree(routes: R) -> R {
    use projects::tags_api as tags;
    routes
        .get("/v3/domains", &domains::rules::LIST.route, domains::api::list)
        .post("/v3/domains", &domains::rules::CREATE.route, domains::api::create)
        .get("/v3/domains/{domain_id}", &domains::rules::GET.route, domains::api::get)
        .patch("/v3/domains/{domain_id}", &domains::rules::UPDATE.route, domains::api::update)
        .delete("/v3/domains/{domain_id}", &domains::rules::DELETE.route, domains::api::delete)
        .get("/v3/projects", &projects::rules::LIST.route, projects::api::list)
        .post("/v3/projects", &projects::rules::CREATE.route, projects::api::create)
        .get("/v3/projects/{project_id}", &projects::rules::GET.route, projects::api::get)
        .patch("/v3/projects/{project_id}", &projects::rules::UPDATE.route, projects::api::update)
        .delete("/v3/projects/{project_id}", &projects::rules::DELETE.route, projects::api::delete)
        .get("/v3/projects/{project_id}/tags", &projects::rules::LIST_TAGS.route, tags::list)
        .put("/v3/projects/{project_id}/tags", &projects::rules::UPDATE_TAGS.route, tags::replace)
        .delete("/v3/projects/{project_id}/tags", &projects::rules::DELETE_TAGS.route, tags::clear)
        .get("/v3/projects/{project_id}/tags/{value}", &projects::rules::GET_TAG.route, tags::check)
        .put("/v3/projects/{project_id}/tags/{value}", &projects::rules::CREATE_TAG.route, tags::add)
        .delete("/v3/projects/{project_id}/tags/{value}", &projects::rules::DELETE_TAG.route, tags::remove)
}

fn people(routes: R) -> R {
    use groups::members_api as members;
    const MEMBER: &str = "/v3/groups/{group_id}/users/{user_id}";
    routes
        .get("/v3/users", &users::rules::LIST.route, users::api::list)
        .post("/v3/users", &users::rules::CREATE.route, users::api::create)
        .get("/v3/users/{user_id}", &users::rules::GET.route, users::api::get)
        .patch("/v3/users/{user_id}", &users::rules::UPDATE.route, users::api::update)
        .delete("/v3/users/{user_id}", &users::rules::DELETE.route, users::api::delete)
        .post("/v3/users/{user_id}/password", &users::rules::CHANGE_PASSWORD, users::password_api::change)
        .get(
            "/v3/users/{user_id}/projects",
            &projects::rules::LIST_OF_USER.route,
            projects::api::list_of_user,
        )
        .get("/v3/users/{user_id}/groups", &groups::rules::LIST_OF_USER.route, groups::api::list_of_user)
        .get("/v3/groups", &groups::rules::LIST.route, groups::api::list)
        .post("/v3/groups", &groups::rules::CREATE.route, groups::api::create)
        .get("/v3/groups/{group_id}", &groups::rules::GET.route, groups::api::get)
        .patch("/v3/groups/{group_id}", &groups::rules::UPDATE.route, groups::api::update)
        .delete("/v3/groups/{group_id}", &groups::rules::DELETE.route, groups::api::delete)
        .get("/v3/groups/{group_id}/users", &groups::rules::LIST_USERS.route, members::list)
        .get(MEMBER, &groups::rules::CHECK_USER.route, members::check)
        .put(MEMBER, &groups::rules::ADD_USER.route, members::add)
        .delete(MEMBER, &groups::rules::REMOVE_USER.route, members::remove)
}

fn role_routes(routes: R) -> R {
    use roles::{api, implied_api as implied, rules};
    const IMPLIED: &str = "/v3/roles/{prior_role_id}/implies/{implied_role_id}";
    routes
        .get("/v3/roles", &rules::LIST.route, api::list)
        .post("/v3/roles", &rules::CREATE.route, api::create)
        .get("/v3/roles/{role_id}", &rules::GET.route, api::get)
        .patch("/v3/roles/{role_id}", &rules::UPDATE.route, api::update)
        .delete("/v3/roles/{role_id}", &rules::DELETE.route, api::delete)
        .get("/v3/roles/{role_id}/implies", &rules::LIST_IMPLIED.route, implied::list)
        .get(IMPLIED, &rules::GET_IMPLIED.route, implied::get)
        .head(IMPLIED, &rules::CHECK_IMPLIED.route, implied::check)
        .put(IMPLIED, &rules::CREATE_IMPLIED.route, implied::create)
        .delete(IMPLIED, &rules::DELETE_IMPLIED.route, implied::delete)
        .get("/v3/role_inferences", &rules::LIST_INFERENCES.route, implied::list_all)
        .get("/v3/role_assignments", &assignments::rules::LIST.route, assignments::list_api::list)
}

fn grants(mut routes: R) -> R {
    use assignments::{grants_api as api, rules};
    for (list, one) in [
        (
            "/v3/projects/{project_id}/users/{user_id}/roles",
            "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}",
        ),
        (
            "/v3/projects/{project_id}/groups/{group_id}/roles",
            "/v3/projects/{project_id}/groups/{group_id}/roles/{role_id}",
        ),
        (
            "/v3/domains/{domain_id}/users/{user_id}/roles",
            "/v3/domains/{domain_id}/users/{user_id}/roles/{role_id}",
        ),
        (
            "/v3/domains/{domain_id}/groups/{group_id}/roles",
            "/v3/domains/{domain_id}/groups/{group_id}/roles/{role_id}",
        ),
    ] {
        routes = routes
            .get(list, &rules::LIST_GRANTS.route, api::list)
            .get(one, &rules::CHECK.route, api::check)
            .put(one, &rules::CREATE.route, api::create)
            .delete(one, &rules::REVOKE.route, api::revoke);
    }
    for (list, one) in [
        ("/v3/system/users/{user_id}/roles", "/v3/system/users/{user_id}/roles/{role_id}"),
        ("/v3/system/groups/{group_id}/roles", "/v3/system/groups/{group_id}/roles/{role_id}"),
    ] {
        routes = routes
            .get(list, &rules::LIST_SYSTEM.route, api::list)
            .get(one, &rules::CHECK_SYSTEM.route, api::check)
            .put(one, &rules::CREATE_SYSTEM.route, api::create)
            .delete(one, &rules::REVOKE_SYSTEM.route, api::revoke);
    }
    routes
}

fn inherited_grants(mut routes: R) -> R {
    use assignments::{grants_api as api, rules};
    for (list, one) in [
        (
            "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects",
            "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects",
        ),
        (
            "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects",
            "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects",
        ),
        (
            "/v3/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/inherited_to_projects",
            "/v3/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects",
        ),
        (
            "/v3/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/inherited_to_projects",
            "/v3/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects",
        ),
    ] {
        routes = routes
            .get(list, &rules::LIST_GRANTS.route, api::list)
            .get(one, &rules::CHECK.route, api::check)
            .put(one, &rules::CREATE.route, api::create)
            .delete(one, &rules::REVOKE.route, api::revoke);
    }
    routes
}

fn catalog_routes(routes: R) -> R {
    use catalog::{endpoints_api as endpoints, regions_api as regions, rules, services_api as services};
    routes
        .get("/v3/regions", &rules::LIST_REGIONS.route, regions::list)
        .post("/v3/regions", &rules::CREATE_REGION.route, regions::create)
        .get("/v3/regions/{region_id}", &rules::GET_REGION.route, regions::get)
        .put("/v3/regions/{region_id}", &rules::CREATE_REGION.route, regions::create_with_id)
        .patch("/v3/regions/{region_id}", &rules::UPDATE_REGION.route, regions::update)
        .delete("/v3/regions/{region_id}", &rules::DELETE_REGION.route, regions::delete)
        .get("/v3/services", &rules::LIST_SERVICES.route, services::list)
        .post("/v3/services", &rules::CREATE_SERVICE.route, services::create)
        .get("/v3/services/{service_id}", &rules::GET_SERVICE.route, services::get)
        .patch("/v3/services/{service_id}", &rules::UPDATE_SERVICE.route, services::update)
        .delete("/v3/services/{service_id}", &rules::DELETE_SERVICE.route, services::delete)
        .get("/v3/endpoints", &rules::LIST_ENDPOINTS.route, endpoints::list)
        .post("/v3/endpoints", &rules::CREATE_ENDPOINT.route, endpoints::create)
        .get("/v3/endpoints/{endpoint_id}", &rules::GET_ENDPOINT.route, endpoints::get)
        .patch("/v3/endpoints/{endpoint_id}", &rules::UPDATE_ENDPOINT.route, endpoints::update)
        .delete("/v3/endpoints/{endpoint_id}", &rules::DELETE_ENDPOINT.route, endpoints::delete)
}

fn secrets(routes: R) -> R {
    use application_credentials::{api, rules, rules_api};
    use credentials::ec2_api;
    const EC2: &str = "/v3/users/{user_id}/credentials/OS-EC2";
    const EC2_ONE: &str = "/v3/users/{user_id}/credentials/OS-EC2/{credential_id}";
    const ALL: &str = "/v3/users/{user_id}/application_credentials";
    const ONE: &str = "/v3/users/{user_id}/application_credentials/{credential_id}";
    const RULE: &str = "/v3/users/{user_id}/access_rules/{access_rule_id}";
    routes
        .get(ALL, &rules::LIST.route, api::list)
        .post(ALL, &rules::CREATE.route, api::create)
        .get(ONE, &rules::GET.route, api::get)
        .delete(ONE, &rules::DELETE.route, api::delete)
        .get("/v3/users/{user_id}/access_rules", &rules::LIST_RULES.route, rules_api::list)
        .get(RULE, &rules::GET_RULE.route, rules_api::get)
        .delete(RULE, &rules::DELETE_RULE.route, rules_api::delete)
        .get(EC2, &credentials::rules::EC2_LIST.route, ec2_api::list)
        .post(EC2, &credentials::rules::EC2_CREATE.route, ec2_api::create)
        .get(EC2_ONE, &credentials::rules::EC2_GET.route, ec2_api::get)
        .delete(EC2_ONE, &credentials::rules::EC2_DELETE.route, ec2_api::delete)
        .get("/v3/credentials", &credentials::rules::LIST.route, credentials::api::list)
        .post("/v3/credentials", &credentials::rules::CREATE.route, credentials::api::create)
        .get("/v3/credentials/{credential_id}", &credentials::rules::GET.route, credentials::api::get)
        .patch("/v3/credentials/{credential_id}", &credentials::rules::UPDATE.route, credentials::api::update)
        .delete(
            "/v3/credentials/{credential_id}",
            &credentials::rules::DELETE.route,
            credentials::api::delete,
        )
}

fn trust_routes(routes: R) -> R {
    use trusts::{api, rules};
    const ONE: &str = "/v3/OS-TRUST/trusts/{trust_id}";
    routes
        .get("/v3/OS-TRUST/trusts", &rules::LIST.route, api::list)
        .post("/v3/OS-TRUST/trusts", &rules::CREATE.route, api::create)
        .get(ONE, &rules::GET.route, api::get)
        .delete(ONE, &rules::DELETE.route, api::delete)
        .get("/v3/OS-TRUST/trusts/{trust_id}/roles", &rules::LIST_ROLES.route, api::list_roles)
        .get("/v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}", &rules::GET_ROLE.route, api::get_role)
}

fn settings(mut routes: R) -> R {
    use domain_config::{api as config, rules as config_rules};
    use limits::{api, registered_api as registered, rules};
    const LIMIT: &str = "/v3/limits/{limit_id}";
    const REGISTERED: &str = "/v3/registered_limits/{registered_limit_id}";
    const CONFIG: &str = "/v3/domains/{domain_id}/config";
    for path in
        [CONFIG, "/v3/domains/{domain_id}/config/{group}", "/v3/domains/{domain_id}/config/{group}/{option}"]
    {
        routes = routes
            .get(path, &config_rules::GET.route, config::get)
            .patch(path, &config_rules::UPDATE.route, config::update)
            .delete(path, &config_rules::DELETE.route, config::delete);
    }
    for path in [
        "/v3/domains/config/default",
        "/v3/domains/config/{group}/default",
        "/v3/domains/config/{group}/{option}/default",
    ] {
        routes = routes.get(path, &config_rules::GET_DEFAULT.route, config::get_default);
    }
    routes
        .put(CONFIG, &config_rules::CREATE.route, config::create)
        .get("/v3/limits", &rules::LIST.route, api::list)
        .post("/v3/limits", &rules::CREATE.route, api::create)
        .get("/v3/limits/model", &rules::GET_MODEL.route, api::model)
        .get(LIMIT, &rules::GET.route, api::get)
        .patch(LIMIT, &rules::UPDATE.route, api::update)
        .delete(LIMIT, &rules::DELETE.route, api::delete)
        .get("/v3/registered_limits", &rules::LIST_REGISTERED.route, registered::list)
        .post("/v3/registered_limits", &rules::CREATE_REGISTERED.route, registered::create)
        .get(REGISTERED, &rules::GET_REGISTERED.route, registered::get)
        .patch(REGISTERED, &rules::UPDATE_REGISTERED.route, registered::update)
        .delete(REGISTERED, &rules::DELETE_REGISTERED.route, registered::delete)
}

fn filters(mut routes: R) -> R {
    use endpoint_filter::{associations_api as associations, groups_api as groups, rules};
    use policies::{api, associations_api as policy_of, rules as policy_rules};
    const GROUP: &str = "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}";
    const IN_PROJECT: &str = "/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}";
    const GROUP_IN_PROJECT: &str =
        "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}";
    const POLICY: &str = "/v3/policies/{policy_id}";
    for path in [
        "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}",
        "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}",
        "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}",
    ] {
        routes = routes
            .get(path, &policy_rules::CHECK_ASSOCIATION.route, policy_of::get)
            .put(path, &policy_rules::CREATE_ASSOCIATION.route, policy_of::create)
            .delete(path, &policy_rules::DELETE_ASSOCIATION.route, policy_of::delete);
    }
    routes
        .get("/v3/policies", &policy_rules::LIST.route, api::list)
        .post("/v3/policies", &policy_rules::CREATE.route, api::create)
        .get(POLICY, &policy_rules::GET.route, api::get)
        .patch(POLICY, &policy_rules::UPDATE.route, api::update)
        .delete(POLICY, &policy_rules::DELETE.route, api::delete)
        .get(
            "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints",
            &policy_rules::ENDPOINTS.route,
            policy_of::endpoints,
        )
        .get(
            "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
            &policy_rules::OF_ENDPOINT.route,
            policy_of::of_endpoint,
        )
        .get("/v3/OS-EP-FILTER/endpoint_groups", &rules::LIST.route, groups::list)
        .post("/v3/OS-EP-FILTER/endpoint_groups", &rules::CREATE.route, groups::create)
        .get(GROUP, &rules::GET.route, groups::get)
        .patch(GROUP, &rules::UPDATE.route, groups::update)
        .delete(GROUP, &rules::DELETE.route, groups::delete)
        .get(
            "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects",
            &rules::PROJECTS_OF_GROUP.route,
            associations::projects_of_group,
        )
        .get(
            "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints",
            &rules::ENDPOINTS_OF_GROUP.route,
            associations::endpoints_of_group,
        )
        .get(GROUP_IN_PROJECT, &rules::GROUP_IN_PROJECT.route, associations::check_group)
        .put(GROUP_IN_PROJECT, &rules::ADD_GROUP.route, associations::add_group)
        .delete(GROUP_IN_PROJECT, &rules::REMOVE_GROUP.route, associations::remove_group)
        .get(
            "/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups",
            &rules::GROUPS_OF_PROJECT.route,
            associations::groups_of_project,
        )
        .get(
            "/v3/OS-EP-FILTER/projects/{project_id}/endpoints",
            &rules::ENDPOINTS_OF_PROJECT.route,
            associations::endpoints_of_project,
        )
        .get(IN_PROJECT, &rules::CHECK_ENDPOINT.route, associations::check_endpoint)
        .put(IN_PROJECT, &rules::ADD_ENDPOINT.route, associations::add_endpoint)
        .delete(IN_PROJECT, &rules::REMOVE_ENDPOINT.route, associations::remove_endpoint)
        .get(
            "/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
            &rules::PROJECTS_OF_ENDPOINT.route,
            associations::projects_of_endpoint,
        )
}

fn oauth_routes(routes: R) -> R {
    use oauth::{access_api as access, api, consumers_api as consumers, rules};
    const CONSUMER: &str = "/v3/OS-OAUTH1/consumers/{consumer_id}";
    const ALL: &str = "/v3/users/{user_id}/OS-OAUTH1/access_tokens";
    const ONE: &str = "/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}";
    const ROLES: &str = "/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles";
    const ROLE: &str = "/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles/{role_id}";
    routes
        .get("/v3/OS-OAUTH1/consumers", &rules::LIST.route, consumers::list)
        .post("/v3/OS-OAUTH1/consumers", &rules::CREATE.route, consumers::create)
        .get(CONSUMER, &rules::GET.route, consumers::get)
        .patch(CONSUMER, &rules::UPDATE.route, consumers::update)
        .delete(CONSUMER, &rules::DELETE.route, consumers::delete)
        .post("/v3/OS-OAUTH1/request_token", &rules::SIGNED, api::request)
        .put("/v3/OS-OAUTH1/authorize/{request_token_id}", &rules::AUTHORIZE.route, api::authorize)
        .post("/v3/OS-OAUTH1/access_token", &rules::SIGNED, api::access)
        .get(ALL, &rules::LIST_ACCESS.route, access::list)
        .get(ONE, &rules::GET_ACCESS.route, access::get)
        .delete(ONE, &rules::DELETE_ACCESS.route, access::delete)
        .get(ROLES, &rules::LIST_ROLES.route, access::list_roles)
        .get(ROLE, &rules::GET_ROLE.route, access::get_role)
}
