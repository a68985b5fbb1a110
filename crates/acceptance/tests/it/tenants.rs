//! One project never sees or touches another's things.

use serde_json::json;
use testkit::{Cloud, text};

use crate::servers;

#[tokio::test(flavor = "multi_thread")]
async fn another_projects_ids_do_not_exist() {
    let cloud = Cloud::start().await;
    let (anna, ben) = (cloud.member("anna").await, cloud.member("ben").await);
    let (image, net) = (servers::image(&anna).await, servers::network(&anna, "10.0.0.0/24").await);
    let server = servers::server(&anna, "one", &image, &net).await;
    servers::status(&anna, &server, "ACTIVE").await;
    let ports = anna.get(&format!("/network/v2.0/ports?device_id={server}")).await.expect(200);
    let port = text(&ports["ports"][0]["id"]);

    for path in [
        format!("/compute/v2.1/servers/{server}"),
        format!("/compute/v2.1/servers/{server}/os-instance-actions"),
        format!("/network/v2.0/networks/{net}"),
        format!("/network/v2.0/ports/{port}"),
        format!("/image/v2/images/{image}"),
        format!("/image/v2/images/{image}/file"),
    ] {
        ben.get(&path).await.expect(404);
    }
    ben.delete(&format!("/compute/v2.1/servers/{server}")).await.expect(404);
    ben.delete(&format!("/network/v2.0/networks/{net}")).await.expect(404);
    ben.delete(&format!("/image/v2/images/{image}")).await.expect(404);
    ben.post(&format!("/compute/v2.1/servers/{server}/action"), json!({"os-stop": null})).await.expect(404);
    for (path, key) in [
        ("/compute/v2.1/servers", "servers"),
        ("/network/v2.0/ports", "ports"),
        ("/image/v2/images", "images"),
    ] {
        assert_eq!(ben.get(path).await.expect(200)[key], json!([]), "{path}");
    }
    // What only an admin may do is refused, not hidden.
    ben.get("/compute/v2.1/servers?all_tenants=1").await.expect(403);
    ben.post("/identity/v3/projects", json!({"project": {"name": "x"}})).await.expect(403);
}
