//! Floating IP pools: the subnets that a floating IP may be taken from.

use std::sync::Arc;

use base::{Policy, Rule};
use serde_json::json;
use web::{Caller, Origin, Params, Routes, State};

use super::store;
use crate::Neutron;
use crate::request::{Attr, Extent, Filter, Kind, Listing, Spec, View, attr};

const GET: Policy = Policy::new("get_floatingip_pool", Rule::Reader);

const ATTRS: &[Attr] = &[
    attr("subnet_id", Kind::Uuid).by(Filter::View),
    attr("subnet_name", Kind::Text(255)).by(Filter::View),
    attr("network_id", Kind::Uuid).by(Filter::View),
    attr("cidr", Kind::Cidr).by(Filter::View),
];

const SPEC: Spec = Spec {
    member: "floatingip_pool",
    collection: "floatingip_pools",
    table: "subnet",
    attrs: ATTRS,
    bulk: false,
    extent: Extent::Nobodys,
    not_found: crate::fault::subnet_not_found,
};

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    // The reference writes it in one way, clients in the other; Neutron takes both.
    routes.get("/v2.0/floatingip-pools", &GET, list).get("/v2.0/floatingip_pools", &GET, list)
}

async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let listing = Listing::read(&SPEC, &params)?;
    let subnets = store::pools(&mut *app.db.read().await?, &ctx).await?;
    let project = ctx.project().map_or("", |project| project.id.as_str());
    let pools = subnets.iter().map(|subnet| {
        let mut view = View::new();
        view.insert("subnet_id".into(), json!(subnet.standard.id));
        view.insert("subnet_name".into(), json!(subnet.standard.name));
        view.insert("network_id".into(), json!(subnet.network_id));
        view.insert("cidr".into(), json!(subnet.cidr.to_string()));
        // Neutron shows who asks.
        view.insert("tenant_id".into(), json!(project));
        view.insert("project_id".into(), json!(project));
        view
    });
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, pools.collect())?))
}
