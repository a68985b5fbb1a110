//! What a cluster's own controllers left in the cloud, found and removed by the engine: through this cloud's APIs, as on any
//! other's. No machine is needed for it.

use engine::{Options, Silent, Store, delete_cluster, remains_of};
use serde_json::{Value, json};
use testkit::{Client, Cloud, PASSWORD, poll, text};

const UUID: &str = "6a1f0c8e-2f6b-4a3e-9d51-3f1f6f9f7c11";

/// Logged in as the owner, the way a person's clouds.yaml says it.
async fn engines_client(cloud: &Cloud, dir: &camino::Utf8Path) -> openstack::Client {
    let yaml = format!(
        "clouds:\n  it:\n    region_name: RegionOne\n    auth: {{auth_url: '{}/identity/v3', username: owner, password: {PASSWORD}, \
         project_name: owner, user_domain_name: Default, project_domain_name: Default}}\n",
        cloud.url
    );
    let path = dir.join("clouds.yaml");
    std::fs::write(&path, yaml).unwrap();
    openstack::Client::connect_with_file(path.as_std_path(), "it").await.unwrap()
}

async fn made(client: &Client, path: &str, key: &str, body: Value) -> Value {
    let mut answer = client.post(path, json!({ key: body })).await;
    assert!(answer.status < 300, "{path}: {}", answer.body);
    answer.body[key].take()
}

/// As the controllers make things, with the descriptions and metadata that they write.
async fn leave_things(owner: &Client, cluster: &str) {
    let net = |path: &str| format!("/network/v2.0/{path}");
    let mark = format!("cumulet:cluster={UUID}");
    let body = json!({"name": "demo-network", "description": mark});
    let network = made(owner, &net("networks"), "network", body).await;
    let body =
        json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.6.0.0/24", "description": mark});
    let subnet = made(owner, &net("subnets"), "subnet", body).await;
    let external =
        owner.get(&net("networks?router:external=true")).await.expect(200)["networks"][0]["id"].clone();
    let body = json!({"name": "demo-router", "description": mark, "external_gateway_info": {"network_id": external}});
    let router = made(owner, &net("routers"), "router", body).await;
    let router = net(&format!("routers/{}", text(&router["id"])));
    let leg = json!({"subnet_id": subnet["id"]});
    owner.put(&format!("{router}/add_router_interface"), leg).await.expect(200);
    let routes = json!({"router": {"routes": [{"destination": "10.244.1.0/24", "nexthop": "10.6.0.10"}]}});
    owner.put(&router, routes).await.expect(200);

    let body = json!({
        "name": format!("kube_service_{cluster}_default_web"),
        "description": format!("Kubernetes external service default/web from cluster {cluster}"),
        "vip_subnet_id": subnet["id"],
    });
    let balancer = made(owner, "/load-balancer/v2.0/lbaas/loadbalancers", "loadbalancer", body).await;
    let path = format!("/load-balancer/v2.0/lbaas/loadbalancers/{}", text(&balancer["id"]));
    poll("the load balancer", 20, async || {
        (owner.get(&path).await.expect(200)["loadbalancer"]["provisioning_status"] == "ACTIVE").then_some(())
    })
    .await;
    let description =
        format!("Floating IP for Kubernetes external service default/web from cluster {cluster}");
    let body = json!({"floating_network_id": external, "port_id": balancer["vip_port_id"], "description": description});
    made(owner, &net("floatingips"), "floatingip", body).await;
    let description = format!("Security Group for default/web Service LoadBalancer in cluster {cluster}");
    let body = json!({"name": "lb-sg-1-default-web", "description": description});
    made(owner, &net("security-groups"), "security_group", body).await;

    let metadata = json!({"cinder.csi.openstack.org/cluster": cluster});
    let body = json!({"name": "pvc-1", "size": 1, "metadata": metadata});
    let volume = made(owner, "/volume/v3/volumes", "volume", body).await;
    let path = format!("/volume/v3/volumes/{}", text(&volume["id"]));
    poll("the volume", 20, async || {
        (owner.get(&path).await.expect(200)["volume"]["status"] == "available").then_some(())
    })
    .await;
    let body = json!({"name": "snapshot-1", "volume_id": volume["id"], "metadata": metadata});
    made(owner, "/volume/v3/snapshots", "snapshot", body).await;
    let body = json!({"backup": {"name": "backup-1", "volume_id": volume["id"], "metadata": metadata}});
    let request = owner.request(reqwest::Method::POST, "/volume/v3/backups").body(body.to_string());
    let request =
        request.header("OpenStack-API-Version", "volume 3.43").header("Content-Type", "application/json");
    owner.execute(request.build().unwrap()).await.unwrap().expect(202);
    let body = json!({"name": format!("kube_ingress_{cluster}_default_web_tls"), "payload": "p", "payload_content_type": "text/plain"});
    owner.post("/key-manager/v1/secrets", body).await.expect(201);
    let path = format!("/identity/v3/users/{}/application_credentials", owner.user_id);
    made(owner, &path, "application_credential", json!({"name": format!("{cluster}-abcdefgh")})).await;
}

/// How much of each kind the project has.
async fn counts(owner: &Client) -> Vec<(&'static str, usize)> {
    let credentials = format!("/identity/v3/users/{}/application_credentials", owner.user_id);
    let lists = [
        ("networks", "/network/v2.0/networks?router:external=false"),
        ("routers", "/network/v2.0/routers"),
        ("ports", "/network/v2.0/ports"),
        ("floatingips", "/network/v2.0/floatingips"),
        ("security_groups", "/network/v2.0/security-groups"),
        ("loadbalancers", "/load-balancer/v2.0/lbaas/loadbalancers"),
        ("volumes", "/volume/v3/volumes"),
        ("snapshots", "/volume/v3/snapshots"),
        ("backups", "/volume/v3/backups"),
        ("secrets", "/key-manager/v1/secrets"),
        ("application_credentials", credentials.as_str()),
    ];
    let mut counts = Vec::new();
    for (key, path) in lists {
        counts.push((key, owner.get(path).await.expect(200)[key].as_array().unwrap().len()));
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_controllers_left_goes_with_the_cluster() {
    let cloud = Cloud::start().await;
    let owner = cloud.member("owner").await;
    let dir = tempfile::tempdir().unwrap();
    let root = camino::Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    let client = engines_client(&cloud, &root).await;
    let before = counts(&owner).await;
    leave_things(&owner, &format!("demo-{UUID}")).await;
    let made = counts(&owner).await;
    assert!(made.iter().zip(&before).all(|(after, before)| after.1 > before.1), "{before:?} {made:?}");

    let store = Store::at(root.join("clusters"));
    let options = Options { kubeconfig: Some(root.join("kubeconfig")), ..Options::default() };
    let lines = remains_of("demo", &client, &store, &options).await.unwrap();
    for line in ["delete volume pvc-1 (1 GiB)", "delete volume snapshot snapshot-1"] {
        assert!(lines.iter().any(|it| it == line), "{lines:?}");
    }
    delete_cluster("demo", &client, &store, &options, &Silent).await.unwrap();
    assert_eq!(counts(&owner).await, before);
}

/// The engine may make a credential by a login with a password, and none by that credential.
#[tokio::test(flavor = "multi_thread")]
async fn a_clusters_credential_makes_no_other() {
    let cloud = Cloud::start().await;
    let owner = cloud.member("owner").await;
    let dir = tempfile::tempdir().unwrap();
    let root = camino::Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    let client = engines_client(&cloud, &root).await;
    assert!(client.may_make_credentials());
    assert!(client.roles().contains(&"member".to_owned()), "{:?}", client.roles());
    let new = openstack::NewApplicationCredential {
        name: "demo".into(),
        description: String::new(),
        roles: vec!["member".into()],
    };
    let made = client.create_application_credential(&new).await.unwrap();
    let yaml = format!(
        "clouds:\n  it:\n    auth: {{auth_url: '{}/identity/v3', application_credential_id: {}, \
         application_credential_secret: {}}}\n",
        cloud.url,
        made.id,
        made.secret.unwrap()
    );
    let path = root.join("restricted.yaml");
    std::fs::write(&path, yaml).unwrap();
    let restricted = openstack::Client::connect_with_file(path.as_std_path(), "it").await.unwrap();
    assert!(!restricted.may_make_credentials());
    assert_eq!(restricted.roles(), ["member", "reader"]);
    assert_eq!(restricted.create_application_credential(&new).await.unwrap_err().status(), Some(403));
    // It is there for what it is for.
    assert!(restricted.load_balancers().await.unwrap().is_empty());
    assert!(restricted.volumes().await.unwrap().is_empty());
    assert_eq!(restricted.volume_zones().await.unwrap(), ["nova"]);
    client.delete_application_credential(&made.id).await.unwrap();
    let path = format!("/identity/v3/users/{}/application_credentials", owner.user_id);
    assert_eq!(owner.get(&path).await.expect(200)["application_credentials"], json!([]));
}
