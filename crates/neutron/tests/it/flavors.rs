//! Flavors and their profiles.

use serde_json::{Value, json};

use crate::cloud::{Cloud, id, ids};

const DRIVER: &str = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver";

async fn profile(cloud: &Cloud, attributes: Value) -> String {
    id(&cloud.make_as("admin", "service_profiles", "service_profile", attributes).await)
}

#[tokio::test]
async fn admins_make_them_and_routers_have_them() {
    let cloud = Cloud::start().await;
    let body = json!({"flavor": {"name": "f", "service_type": "L3_ROUTER_NAT"}});
    assert_eq!(cloud.post("alice", "/v2.0/flavors", body.clone()).await.status, 403);
    let flavor = cloud.post("admin", "/v2.0/flavors", body).await.ok(201)["flavor"].clone();
    assert_eq!((&flavor["enabled"], &flavor["service_profiles"]), (&json!(true), &json!([])));
    let path = format!("/v2.0/flavors/{}", id(&flavor));
    assert_eq!(cloud.get("alice", &path).await.ok(200)["flavor"]["name"], "f");
    let none = cloud.get("alice", "/v2.0/flavors?id=33").await.ok(200);
    assert_eq!(none["flavors"], json!([]));

    let router = json!({"router": {"flavor_id": flavor["id"]}});
    let refused = cloud.post("alice", "/v2.0/routers", router.clone()).await;
    refused.refused(404, "FlavorServiceProfileBindingNotFound");
    cloud
        .get("alice", &format!("{path}/next_providers"))
        .await
        .refused(404, "FlavorServiceProfileBindingNotFound");
    let profile = profile(&cloud, json!({"driver": DRIVER})).await;
    let bind = json!({"service_profile": {"id": profile}});
    let bound = cloud.post("admin", &format!("{path}/service_profiles"), bind.clone()).await.ok(201);
    assert_eq!(bound["service_profile"]["service_profiles"], json!([profile]));
    let again = cloud.post("admin", &format!("{path}/service_profiles"), bind).await;
    again.refused(409, "FlavorServiceProfileBindingExists");
    let next = cloud.get("alice", &format!("{path}/next_providers")).await.ok(200);
    assert_eq!(next["next_providers"][0]["provider"], "single_node");

    cloud.put("admin", &path, json!({"flavor": {"enabled": false}})).await.ok(200);
    cloud.post("alice", "/v2.0/routers", router.clone()).await.refused(503, "FlavorDisabled");
    cloud.put("admin", &path, json!({"flavor": {"enabled": true, "description": "d"}})).await.ok(200);
    let router = cloud.post("alice", "/v2.0/routers", router).await.ok(201)["router"].clone();
    assert_eq!(router["flavor_id"], flavor["id"]);
    let listed = cloud.get("alice", &format!("/v2.0/routers?flavor_id={}", id(&flavor))).await.ok(200);
    assert_eq!(ids(&listed["routers"]), [id(&router)]);
    let change = json!({"router": {"flavor_id": null}});
    let refused = cloud.put("alice", &format!("/v2.0/routers/{}", id(&router)), change).await;
    refused.refused(400, "HTTPBadRequest");
    cloud.delete("admin", &path).await.refused(409, "FlavorInUse");
    cloud.delete("alice", &format!("/v2.0/routers/{}", id(&router))).await.ok(204);
    cloud.delete("admin", &path).await.ok(204);
    cloud.get("alice", &path).await.refused(404, "FlavorNotFound");
}

#[tokio::test]
async fn profiles_name_a_driver_or_say_something() {
    let cloud = Cloud::start().await;
    let all = "/v2.0/service_profiles";
    assert_eq!(cloud.get("alice", all).await.status, 403);
    let post =
        async |attributes: Value| cloud.post("admin", all, json!({ "service_profile": attributes })).await;
    post(json!({})).await.refused(400, "ServiceProfileEmpty");
    post(json!({"driver": "unheard.of"})).await.refused(404, "ServiceProfileDriverNotFound");
    let made = post(json!({"metainfo": "{\"data\": \"value\"}"})).await.ok(201)["service_profile"].clone();
    assert_eq!(made["enabled"], true);
    let path = format!("{all}/{}", id(&made));
    let changed = cloud.put("admin", &path, json!({"service_profile": {"enabled": false}})).await.ok(200);
    assert_eq!(changed["service_profile"]["enabled"], false);
    let flavor = json!({"service_type": "L3_ROUTER_NAT", "service_profiles": [made["id"]]});
    let flavor = id(&cloud.make_as("admin", "flavors", "flavor", flavor).await);
    let router = json!({"router": {"flavor_id": flavor}});
    cloud.post("alice", "/v2.0/routers", router).await.refused(503, "ServiceProfileDisabled");
    cloud.delete("admin", &path).await.refused(409, "ServiceProfileInUse");
    let binding = format!("/v2.0/flavors/{flavor}/service_profiles/{}", id(&made));
    cloud.delete("admin", &binding).await.ok(204);
    cloud.delete("admin", &binding).await.refused(404, "FlavorServiceProfileBindingNotFound");
    cloud.delete("admin", &path).await.ok(204);
    cloud.get("admin", &path).await.refused(404, "ServiceProfileNotFound");
    let wrong = json!({"flavor": {"service_type": "COFFEE"}});
    cloud.post("admin", "/v2.0/flavors", wrong).await.refused(400, "InvalidServiceType");
    let missing = json!({"flavor": {"service_type": "QOS", "service_profiles": [made["id"]]}});
    cloud.post("admin", "/v2.0/flavors", missing).await.refused(404, "ServiceProfileNotFound");
    assert_eq!(cloud.get("admin", "/v2.0/flavors").await.ok(200)["flavors"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pools_of_floating_ips_are_external_subnets_that_one_sees() {
    let cloud = Cloud::start().await;
    let inner = cloud.network("inner").await;
    cloud.subnet(&inner, "10.0.0.0/24").await;
    let pools = cloud.get("alice", "/v2.0/floatingip_pools").await.ok(200)["floatingip_pools"].clone();
    assert_eq!(pools.as_array().unwrap().len(), 1);
    assert_eq!((&pools[0]["cidr"], &pools[0]["network_id"]), (&json!("172.24.4.0/24"), &json!(cloud.public)));
    let filtered = cloud.get("alice", &format!("/v2.0/floatingip-pools?network_id={inner}")).await.ok(200);
    assert_eq!(filtered["floatingip_pools"], json!([]));
}
