use super::*;
use crate::plan::sample;

#[test]
fn nothing_is_left_to_fill_in() {
    for flannel_plugin in [true, false] {
        let mut wanted = sample::wanted(1);
        wanted.image.flannel_plugin = flannel_plugin;
        let objects = flannel(&wanted, "10.6.0.10").unwrap();
        assert!(!serde_json::to_string(&objects).unwrap().contains('@'));
        let daemon_set = objects.iter().find(|object| object["kind"] == "DaemonSet").unwrap();
        let pod = &daemon_set["spec"]["template"]["spec"];
        assert_eq!(pod["initContainers"].as_array().unwrap().len(), if flannel_plugin { 1 } else { 2 });
    }
}

#[test]
fn the_pod_network_is_the_clusters() {
    let objects = flannel(&sample::wanted(1), "10.6.0.10").unwrap();
    let config = objects.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
    let net: Value = serde_json::from_str(config["data"]["net-conf.json"].as_str().unwrap()).unwrap();
    assert_eq!(net["Network"], "10.244.0.0/16");
    assert_eq!(net["Backend"]["Type"], "vxlan");
    let list: Value = serde_json::from_str(config["data"]["cni-conf.json"].as_str().unwrap()).unwrap();
    assert_eq!(list["plugins"][0]["type"], "flannel");
}

fn connection() -> Connection {
    Connection {
        auth_url: "https://cloud.example:5000/v3".into(),
        region: Some("RegionOne".into()),
        interface: Some("public".into()),
        ca: Some("-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n".into()),
        insecure: false,
    }
}

fn inputs<'a>(wanted: &'a Wanted, connection: &'a Connection, credential: &'a Credential) -> Inputs<'a> {
    Inputs {
        wanted,
        connection,
        project: "project",
        credential: Some(credential),
        place: Place { subnet: "subnet", router: Some("router"), load_balancers: true },
        api_address: "10.6.0.10",
    }
}

fn all(inputs: &Inputs<'_>) -> Result<Vec<Value>> {
    let mut all = objects(inputs, Time::BeforeNodes)?;
    all.extend(objects(inputs, Time::AfterNodes)?);
    Ok(all)
}

fn everything() -> (Wanted, Connection, Credential) {
    let mut wanted = sample::wanted(1);
    wanted.addons = Addon::ALL.into_iter().collect();
    let credential = Credential { id: "id".into(), secret: "se;c#r\"e\\t".into() };
    (wanted, connection(), credential)
}

fn data(objects: &[Value], key: &str) -> String {
    use base64::Engine as _;
    let secret = objects.iter().find(|object| object["kind"] == "Secret").unwrap();
    let bytes = base64::prelude::BASE64_STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn controllers_are_told_of_the_cloud_in_one_secret() {
    let (wanted, connection, credential) = everything();
    let objects = all(&inputs(&wanted, &connection, &credential)).unwrap();
    insta::assert_snapshot!("cloud_conf", data(&objects, "cloud.conf"));
    let ingress: Value = serde_json::from_str(&data(&objects, "ingress.yaml")).unwrap();
    assert_eq!(ingress["openstack"]["application-credential-secret"], "se;c#r\"e\\t");
    assert_eq!(data(&objects, "ca.crt"), connection.ca.unwrap());
    // Nowhere else: not in an argument, an environment or a ConfigMap.
    let others: Vec<&Value> = objects.iter().filter(|object| object["kind"] != "Secret").collect();
    let others = serde_json::to_string(&others).unwrap();
    assert!(!others.contains("se;c#r") && !others.contains('@'), "{others}");
}

#[test]
fn nothing_of_an_addon_is_there_without_it() {
    let (mut wanted, connection, credential) = everything();
    wanted.addons.clear();
    let mut inputs = inputs(&wanted, &connection, &credential);
    inputs.credential = None;
    assert!(all(&inputs).unwrap().is_empty());
    assert!(workloads(&wanted).is_empty());
}

#[test]
fn every_workload_waited_for_is_among_the_objects() {
    let (wanted, connection, credential) = everything();
    let objects = all(&inputs(&wanted, &connection, &credential)).unwrap();
    let mut made: Vec<String> = objects
        .iter()
        .filter(|object| matches!(object["kind"].as_str(), Some("DaemonSet" | "Deployment")))
        .map(|object| crate::kubernetes::path_of(object).unwrap())
        .collect();
    let mut waited: Vec<String> = workloads(&wanted).into_iter().map(str::to_owned).collect();
    made.sort();
    waited.sort();
    assert_eq!(made, waited);
}

#[test]
fn another_credential_starts_the_controllers_again() {
    let (wanted, connection, mut credential) = everything();
    let digest = |credential: &Credential| {
        let objects = all(&inputs(&wanted, &connection, credential)).unwrap();
        let of = |kind: &str, name: &str| {
            let object =
                objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name).unwrap();
            object["spec"]["template"]["metadata"]["annotations"]["cumulet/configuration"].to_string()
        };
        (of("DaemonSet", "openstack-cloud-controller-manager"), of("Deployment", "csi-cinder-controller"))
    };
    let before = digest(&credential);
    assert_eq!(before, digest(&credential));
    credential.secret = "another".into();
    let after = digest(&credential);
    assert!(before.0 != after.0 && before.1 != after.1);
}

#[test]
fn a_cloud_without_load_balancers_is_not_asked_for_them() {
    let (wanted, connection, credential) = everything();
    let mut inputs = inputs(&wanted, &connection, &credential);
    inputs.place.load_balancers = false;
    let conf = data(&all(&inputs).unwrap(), "cloud.conf");
    assert!(conf.contains("[LoadBalancer]\nenabled = \"false\"\n"), "{conf}");
}

#[test]
fn routed_pods_have_no_tunnel() {
    let (mut wanted, connection, credential) = everything();
    wanted.cni = Cni::Router;
    let objects = all(&inputs(&wanted, &connection, &credential)).unwrap();
    assert!(data(&objects, "cloud.conf").contains("[Route]\nrouter-id = \"router\"\n"));
    let text = serde_json::to_string(&objects).unwrap();
    assert!(text.contains("--configure-cloud-routes=true"));
    let flannel = serde_json::to_string(&flannel(&wanted, "10.6.0.10").unwrap()).unwrap();
    assert!(flannel.contains("alloc") && !flannel.contains("vxlan"));
}

#[test]
fn strangers_images_take_the_registrar_from_upstream() {
    let (mut wanted, connection, credential) = everything();
    wanted.image.flannel_plugin = false;
    let objects = serde_json::to_string(&all(&inputs(&wanted, &connection, &credential)).unwrap()).unwrap();
    assert!(objects.contains(UPSTREAM_REGISTRAR) && !objects.contains(OUR_REGISTRAR));
}

#[test]
fn nodes_wait_for_the_controller_manager_alone() {
    let (wanted, connection, credential) = everything();
    let inputs = inputs(&wanted, &connection, &credential);
    let workloads = |time| -> Vec<String> {
        let objects = objects(&inputs, time).unwrap();
        let pods =
            objects.iter().filter(|it| matches!(it["kind"].as_str(), Some("DaemonSet" | "Deployment")));
        pods.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(workloads(Time::BeforeNodes), ["openstack-cloud-controller-manager"]);
    assert_eq!(workloads(Time::AfterNodes).len(), 5);
    // The secret is there before whoever mounts it, and once.
    assert_eq!(objects(&inputs, Time::BeforeNodes).unwrap()[0]["kind"], "Secret");
    assert!(objects(&inputs, Time::AfterNodes).unwrap().iter().all(|it| it["kind"] != "Secret"));
}

/// Arguments alone would be given to another program in one image, and twice to the same in another.
#[test]
fn programs_of_the_cloud_provider_are_named_as_commands() {
    let (wanted, connection, credential) = everything();
    for object in all(&inputs(&wanted, &connection, &credential)).unwrap() {
        for container in object["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten() {
            let image = container["image"].as_str().unwrap();
            let Some((_, program)) = image.split_once("/provider-os/") else { continue };
            let program = program.split(':').next().unwrap();
            assert_eq!(container["command"], serde_json::json!([format!("/bin/{program}")]));
            assert!(container["args"][0].as_str().unwrap().starts_with("--"), "{container}");
        }
    }
}
