//! Every URL of the service, with its policy.

use std::sync::Arc;

use web::{Gate, Router, Routes};

use crate::aggregates::{api as aggregates, policy as aggregate};
use crate::assisted_volume_snapshots::{api as assisted_snapshots, policy as assisted_snapshot};
use crate::baremetal_nodes::{api as baremetal_nodes, policy as baremetal_node};
use crate::block_devices::{api as block_devices, policy as block_device};
use crate::consoles::{api as consoles, policy as console};
use crate::extensions::{api as extensions, policy as extension};
use crate::external_events::{api as external_events, policy as external_event};
use crate::flavors::{api as flavors, policy as flavor};
use crate::floating_ips::{api as floating_ips, policy as floating_ip};
use crate::hosts::{api as hosts, policy as host_policy};
use crate::hypervisors::{api as hypervisors, policy as hypervisor};
use crate::images::{api as images, metadata_api as image_metadata, policy as image};
use crate::instance_actions::{api as instance_actions, policy as instance_action};
use crate::keypairs::{api as keypairs, policy as keypair};
use crate::migrations::{api as migrations, policy as migration};
use crate::networks::{api as networks, policy as network_policy};
use crate::quotas::{api as quotas, policy as quota};
use crate::security_groups::{api as security_groups, policy as security_group, rules_api as group_rules};
use crate::server_groups::{api as server_groups, policy as server_group};
use crate::servers::{
    self, interfaces_api as interfaces, network_api as network, policy as server,
    properties_api as properties,
};
use crate::services::{api as services, policy as service};
use crate::shares::{api as shares, policy as share};
use crate::usage::{api as usage, audit_api as audit, policy as usages};
use crate::volumes::{api as volumes, policy as volume, snapshots_api as snapshots};
use crate::{Nova, SERVICE, quotas as limits, versions};

pub(crate) fn routes(nova: Arc<Nova>, gate: Gate) -> Router {
    let routes = Routes::new(&SERVICE, gate, nova)
        .get("/", &versions::POLICY, versions::list)
        .get("/v2.1", &versions::POLICY, versions::show)
        .get("/v2", &versions::POLICY, versions::show_legacy);
    let all = crate::gone::routes(proxies(host(things(server_parts(servers(routes))))));
    crate::paths::behind(all.into_router())
}

type All = Routes<Arc<Nova>>;

fn servers(routes: All) -> All {
    routes
        .get("/v2.1/servers", &server::LIST, servers::list::list)
        .post("/v2.1/servers", &server::CREATE, servers::create::create)
        .get("/v2.1/servers/detail", &server::DETAIL, servers::list::detail)
        .get("/v2.1/servers/{id}", &server::SHOW, servers::api::show)
        .put("/v2.1/servers/{id}", &server::UPDATE, servers::api::update)
        .delete("/v2.1/servers/{id}", &server::DELETE, servers::api::delete)
        .post("/v2.1/servers/{id}/action", &server::ACTION, servers::actions::action)
}

fn server_parts(routes: All) -> All {
    routes
        .get("/v2.1/servers/{id}/metadata", &server::METADATA, properties::metadata)
        .post("/v2.1/servers/{id}/metadata", &server::METADATA_CHANGE, properties::merge_metadata)
        .put("/v2.1/servers/{id}/metadata", &server::METADATA_CHANGE, properties::replace_metadata)
        .get("/v2.1/servers/{id}/metadata/{key}", &server::METADATA, properties::metadata_item)
        .put("/v2.1/servers/{id}/metadata/{key}", &server::METADATA_CHANGE, properties::set_metadata_item)
        .delete(
            "/v2.1/servers/{id}/metadata/{key}",
            &server::METADATA_DELETE,
            properties::delete_metadata_item,
        )
        .get("/v2.1/servers/{id}/tags", &server::TAGS, properties::tags)
        .put("/v2.1/servers/{id}/tags", &server::TAGS_CHANGE, properties::replace_tags)
        .delete("/v2.1/servers/{id}/tags", &server::TAGS_DELETE, properties::delete_tags)
        .get("/v2.1/servers/{id}/tags/{tag}", &server::TAGS, properties::tag)
        .put("/v2.1/servers/{id}/tags/{tag}", &server::TAGS_CHANGE, properties::set_tag)
        .delete("/v2.1/servers/{id}/tags/{tag}", &server::TAGS_DELETE, properties::delete_tag)
        .post("/v2.1/servers/{id}/remote-consoles", &console::CREATE, consoles::create)
        .get("/v2.1/os-console-auth-tokens/{token}", &console::TOKENS, consoles::show_token)
        .get("/v2.1/servers/{id}/migrations", &migration::OF_SERVER, migrations::of_server)
        .get("/v2.1/servers/{id}/migrations/{number}", &migration::SHOW_OF_SERVER, migrations::show_of_server)
        .delete("/v2.1/servers/{id}/migrations/{number}", &migration::ABORT, migrations::abort)
        .post("/v2.1/servers/{id}/migrations/{number}/action", &migration::FORCE_COMPLETE, migrations::action)
        .get("/v2.1/servers/{id}/diagnostics", &server::DIAGNOSTICS, servers::diagnostics_api::show)
        .get("/v2.1/servers/{id}/os-server-password", &server::PASSWORD, properties::password)
        .delete("/v2.1/servers/{id}/os-server-password", &server::PASSWORD_CLEAR, properties::clear_password)
        .get("/v2.1/servers/{id}/shares", &share::LIST, shares::list)
        .post("/v2.1/servers/{id}/shares", &share::CREATE, shares::create)
        .get("/v2.1/servers/{id}/shares/{share}", &share::SHOW, shares::one)
        .delete("/v2.1/servers/{id}/shares/{share}", &share::DELETE, shares::one)
        .get("/v2.1/servers/{id}/topology", &server::TOPOLOGY, network::topology)
        .get("/v2.1/servers/{id}/ips", &server::IPS, network::ips)
        .get("/v2.1/servers/{id}/ips/{network}", &server::IPS, network::ips_of_network)
        .get("/v2.1/servers/{id}/os-interface", &server::INTERFACES, interfaces::list)
        .post("/v2.1/servers/{id}/os-interface", &server::INTERFACE_CREATE, interfaces::attach)
        .delete("/v2.1/servers/{id}/os-interface/{port}", &server::INTERFACE_DELETE, interfaces::detach)
        .get("/v2.1/servers/{id}/os-interface/{port}", &server::INTERFACES, interfaces::show)
        .get("/v2.1/servers/{id}/os-security-groups", &server::GROUPS, network::groups)
        .get("/v2.1/servers/{id}/os-volume_attachments", &block_device::LIST, block_devices::list)
        .post("/v2.1/servers/{id}/os-volume_attachments", &block_device::CREATE, block_devices::create)
        .get("/v2.1/servers/{id}/os-volume_attachments/{volume}", &block_device::SHOW, block_devices::show)
        .put(
            "/v2.1/servers/{id}/os-volume_attachments/{volume}",
            &block_device::CHANGE,
            block_devices::update,
        )
        .delete(
            "/v2.1/servers/{id}/os-volume_attachments/{volume}",
            &block_device::DELETE,
            block_devices::delete,
        )
        .get("/v2.1/servers/{id}/os-instance-actions", &instance_action::LIST, instance_actions::list)
        .get(
            "/v2.1/servers/{id}/os-instance-actions/{request}",
            &instance_action::SHOW,
            instance_actions::show,
        )
}

fn things(routes: All) -> All {
    routes
        .get("/v2.1/flavors", &flavor::LIST, flavors::list)
        .post("/v2.1/flavors", &flavor::CREATE, flavors::create)
        .get("/v2.1/flavors/detail", &flavor::LIST, flavors::detail)
        .get("/v2.1/flavors/{id}", &flavor::LIST, flavors::show)
        .put("/v2.1/flavors/{id}", &flavor::UPDATE, flavors::update)
        .delete("/v2.1/flavors/{id}", &flavor::DELETE, flavors::delete)
        .post("/v2.1/flavors/{id}/action", &flavor::ACCESS_CHANGE, flavors::action)
        .get("/v2.1/flavors/{id}/os-flavor-access", &flavor::ACCESS, flavors::access)
        .get("/v2.1/flavors/{id}/os-extra_specs", &flavor::SPECS, flavors::specs)
        .post("/v2.1/flavors/{id}/os-extra_specs", &flavor::SPECS_CREATE, flavors::create_specs)
        .get("/v2.1/flavors/{id}/os-extra_specs/{key}", &flavor::SPECS, flavors::spec)
        .put("/v2.1/flavors/{id}/os-extra_specs/{key}", &flavor::SPECS_UPDATE, flavors::update_spec)
        .delete("/v2.1/flavors/{id}/os-extra_specs/{key}", &flavor::SPECS_DELETE, flavors::delete_spec)
        .get("/v2.1/os-keypairs", &keypair::LIST, keypairs::list)
        .post("/v2.1/os-keypairs", &keypair::CREATE, keypairs::create)
        .get("/v2.1/os-keypairs/{name}", &keypair::SHOW, keypairs::show)
        .delete("/v2.1/os-keypairs/{name}", &keypair::DELETE, keypairs::delete)
        .get("/v2.1/os-server-groups", &server_group::LIST, server_groups::list)
        .post("/v2.1/os-server-groups", &server_group::CREATE, server_groups::create)
        .get("/v2.1/os-server-groups/{id}", &server_group::SHOW, server_groups::show)
        .delete("/v2.1/os-server-groups/{id}", &server_group::DELETE, server_groups::delete)
        .get("/v2.1/limits", &quota::LIMITS, limits::show_limits)
        .get("/v2.1/os-quota-sets/{project}", &quota::SHOW, quotas::show)
        .put("/v2.1/os-quota-sets/{project}", &quota::UPDATE, quotas::update)
        .delete("/v2.1/os-quota-sets/{project}", &quota::DELETE, quotas::delete)
        .get("/v2.1/os-quota-sets/{project}/detail", &quota::DETAIL, quotas::detail)
        .get("/v2.1/os-quota-sets/{project}/defaults", &quota::DEFAULTS, quotas::defaults)
        .get("/v2.1/os-quota-class-sets/{name}", &quota::CLASS_SHOW, quotas::show_class)
        .put("/v2.1/os-quota-class-sets/{name}", &quota::CLASS_UPDATE, quotas::update_class)
}

fn host(routes: All) -> All {
    routes
        .get("/v2.1/os-services", &service::LIST, services::list)
        .put("/v2.1/os-services/{id}", &service::UPDATE, services::update)
        .delete("/v2.1/os-services/{id}", &service::UPDATE, services::delete)
        .get("/v2.1/os-availability-zone", &service::ZONES, services::zones)
        .get("/v2.1/os-availability-zone/detail", &service::ZONES_DETAIL, services::zones_detail)
        .get("/v2.1/os-migrations", &service::MIGRATIONS, migrations::list)
        .get("/v2.1/os-hypervisors", &hypervisor::LIST, hypervisors::list)
        .get("/v2.1/os-hypervisors/detail", &hypervisor::DETAIL, hypervisors::detail)
        .get("/v2.1/os-hypervisors/statistics", &hypervisor::STATISTICS, hypervisors::statistics)
        .get("/v2.1/os-hypervisors/{id}", &hypervisor::SHOW, hypervisors::show)
        .get("/v2.1/os-hypervisors/{id}/uptime", &hypervisor::SHOW, hypervisors::show_uptime)
        .get("/v2.1/os-hypervisors/{id}/search", &hypervisor::SEARCH, hypervisors::search)
        .get("/v2.1/os-hypervisors/{id}/servers", &hypervisor::SEARCH, hypervisors::servers)
        .get("/v2.1/os-aggregates", &aggregate::LIST, aggregates::list)
        .post("/v2.1/os-aggregates", &aggregate::CREATE, aggregates::create)
        .get("/v2.1/os-aggregates/{id}", &aggregate::SHOW, aggregates::show)
        .put("/v2.1/os-aggregates/{id}", &aggregate::UPDATE, aggregates::update)
        .delete("/v2.1/os-aggregates/{id}", &aggregate::DELETE, aggregates::delete)
        .post("/v2.1/os-aggregates/{id}/action", &aggregate::ACTION, aggregates::action)
        .post("/v2.1/os-aggregates/{id}/images", &aggregate::IMAGES, aggregates::images)
        .get("/v2.1/os-simple-tenant-usage", &usages::LIST, usage::list)
        .get("/v2.1/os-simple-tenant-usage/{project}", &usages::SHOW, usage::show)
        .get("/v2.1/os-instance_usage_audit_log", &usages::AUDIT_LIST, audit::list)
        .get("/v2.1/os-instance_usage_audit_log/{before}", &usages::AUDIT_SHOW, audit::show)
        .get("/v2.1/os-hosts", &host_policy::LIST, hosts::list)
        .get("/v2.1/os-hosts/{host}", &host_policy::SHOW, hosts::show)
        .put("/v2.1/os-hosts/{host}", &host_policy::UPDATE, hosts::update)
        .get("/v2.1/os-hosts/{host}/startup", &host_policy::START, hosts::power)
        .get("/v2.1/os-hosts/{host}/shutdown", &host_policy::SHUTDOWN, hosts::power)
        .get("/v2.1/os-hosts/{host}/reboot", &host_policy::REBOOT, hosts::power)
        .post("/v2.1/os-server-external-events", &external_event::CREATE, external_events::create)
        .post("/v2.1/os-assisted-volume-snapshots", &assisted_snapshot::CREATE, assisted_snapshots::create)
        .delete(
            "/v2.1/os-assisted-volume-snapshots/{id}",
            &assisted_snapshot::DELETE,
            assisted_snapshots::delete,
        )
        .get("/v2.1/extensions", &extension::READ, extensions::list)
        .get("/v2.1/extensions/{alias}", &extension::READ, extensions::show)
}

/// Other services' things in Nova's oldest words.
fn proxies(routes: All) -> All {
    routes
        .get("/v2.1/os-floating-ip-pools", &floating_ip::POOLS, floating_ips::pools)
        .get("/v2.1/os-floating-ips", &floating_ip::LIST, floating_ips::index)
        .post("/v2.1/os-floating-ips", &floating_ip::CREATE, floating_ips::create)
        .get("/v2.1/os-floating-ips/{id}", &floating_ip::SHOW, floating_ips::show)
        .delete("/v2.1/os-floating-ips/{id}", &floating_ip::DELETE, floating_ips::delete)
        .get("/v2.1/os-security-groups", &security_group::LIST, security_groups::index)
        .post("/v2.1/os-security-groups", &security_group::CREATE, security_groups::create)
        .get("/v2.1/os-security-groups/{id}", &security_group::SHOW, security_groups::show)
        .put("/v2.1/os-security-groups/{id}", &security_group::UPDATE, security_groups::update)
        .delete("/v2.1/os-security-groups/{id}", &security_group::DELETE, security_groups::delete)
        .post("/v2.1/os-security-group-rules", &security_group::RULE_CREATE, group_rules::create)
        .delete("/v2.1/os-security-group-rules/{id}", &security_group::RULE_DELETE, group_rules::delete)
        .get("/v2.1/os-baremetal-nodes", &baremetal_node::LIST, baremetal_nodes::nodes)
        .get("/v2.1/os-baremetal-nodes/{id}", &baremetal_node::SHOW, baremetal_nodes::nodes)
        .get("/v2.1/os-networks", &network_policy::LIST, networks::networks)
        .get("/v2.1/os-networks/{id}", &network_policy::SHOW, networks::network)
        .get("/v2.1/os-tenant-networks", &network_policy::TENANT_LIST, networks::tenant_networks)
        .get("/v2.1/os-tenant-networks/{id}", &network_policy::TENANT_SHOW, networks::tenant_network)
        .get("/v2.1/os-volumes", &volume::LIST, volumes::list)
        .post("/v2.1/os-volumes", &volume::CREATE, volumes::create)
        .get("/v2.1/os-volumes/detail", &volume::DETAIL, volumes::detail)
        .get("/v2.1/os-volumes/{id}", &volume::SHOW, volumes::show)
        .delete("/v2.1/os-volumes/{id}", &volume::DELETE, volumes::delete)
        .get("/v2.1/os-snapshots", &volume::SNAPSHOTS, snapshots::list)
        .post("/v2.1/os-snapshots", &volume::SNAPSHOT_CREATE, snapshots::create)
        .get("/v2.1/os-snapshots/detail", &volume::SNAPSHOTS_DETAIL, snapshots::detail)
        .get("/v2.1/os-snapshots/{id}", &volume::SNAPSHOT_SHOW, snapshots::show)
        .delete("/v2.1/os-snapshots/{id}", &volume::SNAPSHOT_DELETE, snapshots::delete)
        .get("/v2.1/images", &image::READ, images::list)
        .get("/v2.1/images/detail", &image::READ, images::detail)
        .get("/v2.1/images/{id}", &image::READ, images::show)
        .delete("/v2.1/images/{id}", &image::CHANGE, images::delete)
        .get("/v2.1/images/{id}/metadata", &image::READ, image_metadata::list)
        .post("/v2.1/images/{id}/metadata", &image::CHANGE, image_metadata::merge)
        .put("/v2.1/images/{id}/metadata", &image::CHANGE, image_metadata::replace)
        .get("/v2.1/images/{id}/metadata/{key}", &image::READ, image_metadata::show)
        .put("/v2.1/images/{id}/metadata/{key}", &image::CHANGE, image_metadata::set)
        .delete("/v2.1/images/{id}/metadata/{key}", &image::CHANGE, image_metadata::delete)
}
