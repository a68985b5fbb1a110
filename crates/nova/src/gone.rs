//! Calls that Nova has removed: it answers them with 410 for ever, so that old clients learn that asking again is no use.

use std::sync::Arc;

use base::{Error, Kind, Policy, Rule};
use web::{Caller, Fault, Response, Result, Routes};

use crate::Nova;

const POLICY: Policy = Policy::new("os_compute_api:removed", Rule::Unchecked);

async fn gone(_: Caller) -> Result<Response> {
    Err(removed())
}

pub(crate) fn removed() -> Fault {
    Fault(Error::new(Kind::Gone, "This resource is no longer available.  No forwarding address is given."))
}

/// (path, methods)
const REMOVED: &[(&str, &[&str])] = &[
    ("/v2.1/os-agents", &["GET", "POST"]),
    ("/v2.1/os-agents/{id}", &["PUT", "DELETE"]),
    ("/v2.1/os-cells", &["GET", "POST"]),
    ("/v2.1/os-cells/capacities", &["GET"]),
    ("/v2.1/os-cells/detail", &["GET"]),
    ("/v2.1/os-cells/info", &["GET"]),
    ("/v2.1/os-cells/sync_instances", &["POST"]),
    ("/v2.1/os-cells/{id}", &["GET", "PUT", "DELETE"]),
    ("/v2.1/os-cells/{id}/capacities", &["GET"]),
    ("/v2.1/os-certificates", &["POST"]),
    ("/v2.1/os-certificates/{id}", &["GET"]),
    ("/v2.1/os-cloudpipe", &["GET", "POST"]),
    ("/v2.1/os-cloudpipe/{id}", &["PUT"]),
    ("/v2.1/os-fixed-ips/{id}", &["GET"]),
    ("/v2.1/os-fixed-ips/{id}/action", &["POST"]),
    ("/v2.1/os-floating-ip-dns", &["GET"]),
    ("/v2.1/os-floating-ip-dns/{domain}", &["PUT", "DELETE"]),
    ("/v2.1/os-floating-ip-dns/{domain}/entries/{id}", &["GET", "PUT", "DELETE"]),
    ("/v2.1/os-floating-ips-bulk", &["GET", "POST"]),
    ("/v2.1/os-floating-ips-bulk/{id}", &["GET", "PUT"]),
    ("/v2.1/os-fping", &["GET"]),
    ("/v2.1/os-fping/{id}", &["GET"]),
    ("/v2.1/os-networks", &["POST"]),
    ("/v2.1/os-networks/add", &["POST"]),
    ("/v2.1/os-networks/{id}", &["DELETE"]),
    ("/v2.1/os-networks/{id}/action", &["POST"]),
    ("/v2.1/os-security-group-default-rules", &["GET", "POST"]),
    ("/v2.1/os-security-group-default-rules/{id}", &["GET", "DELETE"]),
    ("/v2.1/os-tenant-networks", &["POST"]),
    ("/v2.1/os-tenant-networks/{id}", &["DELETE"]),
    ("/v2.1/servers/{id}/consoles", &["GET", "POST"]),
    ("/v2.1/servers/{id}/consoles/{console}", &["GET", "DELETE"]),
    ("/v2.1/servers/{id}/os-virtual-interfaces", &["GET"]),
];

pub(crate) fn routes(mut routes: Routes<Arc<Nova>>) -> Routes<Arc<Nova>> {
    for (path, methods) in REMOVED {
        for method in *methods {
            routes = match *method {
                "GET" => routes.get(path, &POLICY, gone),
                "POST" => routes.post(path, &POLICY, gone),
                "PUT" => routes.put(path, &POLICY, gone),
                _ => routes.delete(path, &POLICY, gone),
            };
        }
    }
    routes
}
