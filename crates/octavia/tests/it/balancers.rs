//! Load balancers: the VIP, the lock, the whole at once.

use host::fake::Operation;
use serde_json::{Value, json};

use crate::cloud::{Cloud, id};

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_told_oldest_first_and_both_names_lead_to_the_calls() {
    let cloud = Cloud::start().await;
    let versions = cloud.raw("/").await.ok(200)["versions"].as_array().unwrap().clone();
    assert_eq!((&versions[0]["id"], &versions[27]["id"]), (&json!("v2.0"), &json!("v2.27")));
    assert_eq!(versions[27]["status"], "CURRENT");
    assert_eq!(versions[27]["links"][0]["href"], "http://cloud.example:5000/load-balancer/v2");
    for path in ["/v2/lbaas/loadbalancers", "/v2.0/lbaas/loadbalancers?limit=5"] {
        assert_eq!(cloud.raw(path).await.ok(200)["loadbalancers"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_has_a_port_from_its_create_to_its_end() {
    let cloud = Cloud::start().await;
    let (network, subnet) = cloud.subnet().await;
    let body = json!({"loadbalancer": {"name": "lb", "vip_subnet_id": subnet, "vip_address": "10.0.0.77"}});
    let made = cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"].clone();
    let lb = id(&made);
    for (name, value) in [
        ("provisioning_status", json!("PENDING_CREATE")),
        ("operating_status", json!("OFFLINE")),
        ("vip_address", json!("10.0.0.77")),
        ("vip_network_id", json!(network)),
        ("vip_subnet_id", json!(subnet)),
        ("provider", json!("haproxy")),
        ("listeners", json!([])),
        ("tags", json!([])),
        ("project_id", json!("alice")),
        ("updated_at", Value::Null),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    cloud.active(&lb).await;
    // Whoever sees it ACTIVE sees it ONLINE, and when it became so.
    let ready = cloud.get(&format!("loadbalancers/{lb}")).await["loadbalancer"].clone();
    assert_eq!((&ready["operating_status"], ready["updated_at"].is_string()), (&json!("ONLINE"), true));
    let port = made["vip_port_id"].as_str().unwrap();
    let shown = cloud.neutron("GET", &format!("ports/{port}"), None).await.ok(200)["port"].clone();
    assert_eq!(shown["device_owner"], "Octavia");
    assert_eq!(shown["device_id"], format!("lb-{lb}"));
    assert_eq!(shown["name"], format!("octavia-lb-{lb}"));
    assert_eq!(shown["project_id"], "alice");
    let plan = cloud.host.plan(&lb).unwrap();
    assert_eq!(plan.vip.addresses, ["10.0.0.77/24".parse().unwrap()]);
    assert_eq!(plan.vip.routes, [("0.0.0.0/0".parse().unwrap(), "10.0.0.1".parse().unwrap())]);

    assert_eq!(cloud.delete(&format!("loadbalancers/{lb}")).await.status, 204);
    for _ in 0..600 {
        if cloud.call("alice", "GET", &format!("loadbalancers/{lb}"), None).await.status == 404 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    cloud
        .call("alice", "GET", &format!("loadbalancers/{lb}"), None)
        .await
        .refused(404, &format!("Load Balancer {lb} not found."));
    assert_eq!(cloud.neutron("GET", &format!("ports/{port}"), None).await.status, 404);
    assert!(cloud.host.plan(&lb).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vip_can_be_on_a_given_port_and_on_a_network() {
    let cloud = Cloud::start().await;
    let (network, subnet) = cloud.subnet().await;
    let port = json!({"port": {"network_id": network}});
    let port = id(&cloud.neutron("POST", "ports", Some(port)).await.ok(201)["port"]);
    let body = json!({"loadbalancer": {"vip_port_id": port}});
    let made = cloud.post("loadbalancers", body.clone()).await.ok(201)["loadbalancer"].clone();
    assert_eq!(made["vip_subnet_id"], json!(subnet));
    let lb = id(&made);
    let words = format!("Validation failure: Port {port} is already used by device lb-{lb} ");
    cloud.post("loadbalancers", body).await.refused(400, &words);
    cloud.active(&lb).await;
    assert_eq!(cloud.delete(&format!("loadbalancers/{lb}")).await.status, 204);
    // It was not the load balancer's own.
    let mut shown = Value::Null;
    for _ in 0..600 {
        shown = cloud.neutron("GET", &format!("ports/{port}"), None).await.ok(200)["port"].clone();
        if shown["device_id"] == "" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!((&shown["device_id"], &shown["device_owner"]), (&json!(""), &json!("")));
    let made =
        cloud.post("loadbalancers", json!({"loadbalancer": {"vip_network_id": network}})).await.ok(201);
    assert_eq!(made["loadbalancer"]["vip_subnet_id"], json!(subnet));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vip_can_be_on_any_network_that_one_sees() {
    let cloud = Cloud::start().await;
    let network = json!({"network": {"name": "public", "router:external": true}});
    let network = id(&cloud.neutron_as("admin", "POST", "networks", Some(network)).await.ok(201)["network"]);
    let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "203.0.113.0/24",
                                   "allocation_pools": [{"start": "203.0.113.10", "end": "203.0.113.20"}]}});
    let subnet = id(&cloud.neutron_as("admin", "POST", "subnets", Some(subnet)).await.ok(201)["subnet"]);
    // A port of her own she gets there by a router alone.
    let port = json!({"port": {"network_id": network}});
    assert_eq!(cloud.neutron("POST", "ports", Some(port)).await.status, 403);
    for fields in [
        json!({"vip_subnet_id": subnet}),
        json!({"vip_network_id": network}),
        json!({"vip_subnet_id": subnet, "vip_address": "203.0.113.77"}),
    ] {
        let made = cloud.post("loadbalancers", json!({ "loadbalancer": fields })).await.ok(201);
        let made = made["loadbalancer"].clone();
        if let Some(address) = fields.get("vip_address") {
            assert_eq!(made["vip_address"], *address);
        }
        cloud.active(&id(&made)).await;
        let port = format!("ports/{}", made["vip_port_id"].as_str().unwrap());
        let shown = cloud.neutron("GET", &port, None).await.ok(200)["port"].clone();
        assert_eq!((&shown["network_id"], &shown["project_id"]), (&json!(network), &json!("alice")));
    }
    // What leads everybody out of there is nobody's to take.
    let body = |address: &str| json!({"loadbalancer": {"vip_subnet_id": subnet, "vip_address": address}});
    for address in ["203.0.113.1", "203.0.113.77"] {
        let answer = cloud.post("loadbalancers", body(address)).await;
        assert_eq!(answer.status, 409, "{}", answer.body);
        let words = answer.body["faultstring"].as_str().unwrap();
        assert!(words.starts_with("The VIP IP address is already in use: "), "{words}");
    }
    // It counts among the project's ports.
    let quota = json!({"quota": {"port": 3}});
    cloud.neutron_as("admin", "PUT", "quotas/alice", Some(quota)).await.ok(200);
    assert_eq!(cloud.post("loadbalancers", body("203.0.113.78")).await.status, 409);
    let words = format!("Subnet {} not found.", cloud.subnet().await.1);
    let hers = words.split(' ').nth(1).unwrap();
    let body = json!({"loadbalancer": {"vip_subnet_id": hers}});
    cloud.call("bob", "POST", "loadbalancers", Some(body)).await.refused(400, &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_create_refuses_leaves_nothing() {
    let cloud = Cloud::start().await;
    let (_, subnet) = cloud.subnet().await;
    let nobody = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
    for (body, status, words) in [
        (
            json!({}),
            400,
            "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."
                .to_owned(),
        ),
        (json!({"vip_subnet_id": nobody}), 400, format!("Subnet {nobody} not found.")),
        (json!({"vip_network_id": nobody}), 400, format!("Network {nobody} not found.")),
        (json!({"vip_port_id": nobody}), 400, format!("Port {nobody} not found.")),
        (
            json!({"vip_subnet_id": subnet, "provider": "other"}),
            400,
            "Provider 'other' is not enabled.".into(),
        ),
        (
            json!({"vip_subnet_id": subnet, "flavor_id": nobody}),
            400,
            "Validation failure: Invalid flavor_id.".into(),
        ),
        (json!({"vip_subnet_id": subnet, "colour": "red"}), 400, "Unknown attribute: colour".into()),
        (
            json!({"vip_subnet_id": subnet, "listeners": [{"protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "a"}}]}),
            400,
            "Validation failure: Pool 'a' was referenced but no full definition was found.".into(),
        ),
    ] {
        cloud.post("loadbalancers", json!({ "loadbalancer": body })).await.refused(status, &words);
    }
    assert_eq!(cloud.get("loadbalancers").await["loadbalancers"], json!([]));
    let ports = cloud.neutron("GET", "ports?device_owner=Octavia", None).await.ok(200);
    assert_eq!(ports["ports"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_load_balancer_is_made_in_one_call_and_goes_in_one() {
    let cloud = Cloud::start().await;
    let (_, subnet) = cloud.subnet().await;
    let member = |last: u8| json!({"address": format!("10.0.0.{last}"), "protocol_port": 8080});
    let monitor = json!({"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2});
    let body = json!({"loadbalancer": {
        "name": "whole", "vip_subnet_id": subnet,
        "pools": [{"name": "spare", "protocol": "HTTP", "lb_algorithm": "LEAST_CONNECTIONS"}],
        "listeners": [{
            "name": "http", "protocol": "HTTP", "protocol_port": 80,
            "default_pool": {
                "name": "main", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
                "healthmonitor": monitor, "members": [member(11), member(12)],
            },
            "l7policies": [{
                "action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "spare"},
                "rules": [{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/spare"}],
            }],
        }],
    }});
    let made = cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"].clone();
    let lb = id(&made);
    assert_eq!(made["pools"].as_array().unwrap().len(), 2);
    assert_eq!(made["listeners"][0]["l7policies"][0]["rules"][0]["value"], "/spare");
    let main = made["pools"].as_array().unwrap().iter().find(|p| p["name"] == "main").unwrap().clone();
    assert_eq!(main["members"].as_array().unwrap().len(), 2);
    assert_eq!(main["healthmonitor"]["url_path"], "/");
    assert_eq!(made["listeners"][0]["default_pool_id"], main["id"]);
    cloud.active(&lb).await;
    let pool = format!("pools/{}", id(&main));
    cloud.until(&pool, "/pool/operating_status", json!("ONLINE")).await;
    let plan = cloud.host.plan(&lb).unwrap();
    assert_eq!((plan.listeners.len(), plan.pools.len()), (1, 2));
    let tree = cloud.get(&format!("loadbalancers/{lb}/status")).await["statuses"]["loadbalancer"].clone();
    assert_eq!(tree["operating_status"], "ONLINE");
    assert_eq!(tree["listeners"][0]["pools"].as_array().unwrap().len(), 2);
    let stats = cloud.get(&format!("loadbalancers/{lb}/stats")).await["stats"].clone();
    assert_eq!(stats["active_connections"], 0);

    let words = format!("Validation failure: Cannot delete Load Balancer {lb} - it has children");
    cloud.delete(&format!("loadbalancers/{lb}")).await.refused(400, &words);
    assert_eq!(cloud.delete(&format!("loadbalancers/{lb}?cascade=true")).await.status, 204);
    cloud.until("listeners", "/listeners", json!([])).await;
    cloud.until("healthmonitors", "/healthmonitors", json!([])).await;
    cloud.until("loadbalancers", "/loadbalancers", json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_pending_nothing_of_it_changes() {
    let cloud = Cloud::idle().await;
    let (_, subnet) = cloud.subnet().await;
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet}});
    let lb = id(&cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"]);
    let pending = format!("Invalid state PENDING_CREATE of loadbalancer resource {lb}");
    let path = format!("loadbalancers/{lb}");
    cloud.put(&path, json!({"loadbalancer": {"name": "x"}})).await.refused(409, &pending);
    cloud.delete(&path).await.refused(409, &pending);
    let listener = json!({"listener": {"protocol": "TCP", "protocol_port": 80, "loadbalancer_id": lb}});
    let words = format!("Load Balancer {lb} is immutable and cannot be updated.");
    cloud.post("listeners", listener).await.refused(409, &words);
    // The next start of the daemon goes on.
    cloud.app.start().await;
    cloud.active(&lb).await;
    assert_eq!(
        cloud.put(&path, json!({"loadbalancer": {"name": "x"}})).await.ok(200)["loadbalancer"]["name"],
        "x"
    );
    cloud.active(&lb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_fails_is_an_error_until_it_does_not() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    cloud.host.faults().fail_next(Operation::ApplyBalancer, "no");
    let path = format!("loadbalancers/{lb}");
    cloud.put(&path, json!({"loadbalancer": {"description": "x"}})).await.ok(200);
    cloud.until(&path, "/loadbalancer/provisioning_status", json!("ERROR")).await;
    cloud.active(&lb).await;
    cloud.host.faults().fail_next(Operation::RemoveBalancer, "no");
    assert_eq!(cloud.delete(&path).await.status, 204);
    cloud.until("loadbalancers", "/loadbalancers", json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_nothing_and_readers_change_nothing() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    let path = format!("loadbalancers/{lb}");
    let words = "Policy does not allow this request to be performed.";
    cloud.call("bob", "GET", &path, None).await.refused(403, words);
    cloud.call("bob", "DELETE", &path, None).await.refused(403, words);
    let none = base::id::uuid();
    let words = format!("Load Balancer {none} not found.");
    cloud.call("bob", "GET", &format!("loadbalancers/{none}"), None).await.refused(404, &words);
    let hers = cloud.call("bob", "GET", "loadbalancers", None).await.ok(200);
    assert_eq!(hers["loadbalancers"], json!([]));
    assert_eq!(cloud.call("rita", "GET", &path, None).await.status, 200);
    assert_eq!(cloud.call("rita", "DELETE", &path, None).await.status, 403);
    let name = json!({"loadbalancer": {"name": "y"}});
    assert_eq!(cloud.call("lbm", "PUT", &path, Some(name)).await.status, 200);
    cloud.active(&lb).await;
    assert_eq!(cloud.put(&format!("{path}/failover"), json!({})).await.status, 403);
    assert_eq!(cloud.call("admin", "PUT", &format!("{path}/failover"), None).await.status, 202);
    cloud.active(&lb).await;
}

#[tokio::test]
async fn members_elsewhere_are_reached_by_a_leg() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let network = json!({"network": {"name": "back"}});
    let network = id(&cloud.neutron("POST", "networks", Some(network)).await.ok(201)["network"]);
    let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"}});
    let subnet = id(&cloud.neutron("POST", "subnets", Some(subnet)).await.ok(201)["subnet"]);
    let pool = json!({"loadbalancer_id": balancer, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = id(&cloud.make(&balancer, "pools", "pool", pool).await);
    let path = format!("pools/{pool}/members");
    let member = json!({"address": "10.9.0.7", "protocol_port": 80, "subnet_id": subnet});
    let member = id(&cloud.make(&balancer, &path, "member", member).await);
    let ports = format!("ports?network_id={network}&device_owner=Octavia");
    let ports =
        async || cloud.neutron("GET", &ports, None).await.ok(200)["ports"].as_array().unwrap().clone();
    let leg = ports().await[0].clone();
    assert_eq!((&leg["device_owner"], &leg["status"]), (&json!("Octavia"), &json!("ACTIVE")));
    assert_eq!(leg["device_id"], format!("lb-{balancer}"));
    let legs = cloud.host.plan(&balancer).unwrap().legs;
    assert_eq!((legs.len(), legs[0].network_id.as_str()), (1, network.as_str()));
    // What is beyond is not reached by it.
    assert!(legs[0].routes.is_empty(), "{:?}", legs[0].routes);
    assert!(cloud.get(&format!("loadbalancers/{balancer}")).await["loadbalancer"].get("_legs").is_none());
    cloud.delete(&format!("{path}/{member}")).await.ok(204);
    cloud.active(&balancer).await;
    for _ in 0..200 {
        if ports().await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(ports().await.len(), 0);
    assert!(cloud.host.plan(&balancer).unwrap().legs.is_empty());
    // It goes with the load balancer, too.
    let member = json!({"address": "10.9.0.7", "protocol_port": 80, "subnet_id": subnet});
    cloud.make(&balancer, &path, "member", member).await;
    assert_eq!(ports().await.len(), 1);
    cloud.delete(&format!("loadbalancers/{balancer}?cascade=true")).await.ok(204);
    for _ in 0..200 {
        if ports().await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("a leg is left");
}

#[tokio::test]
async fn a_vip_has_more_addresses_and_a_limit() {
    let cloud = Cloud::start().await;
    let (network, subnet) = cloud.subnet().await;
    let other = json!({"subnet": {"network_id": network, "ip_version": 6, "cidr": "2001:db8::/64"}});
    let other = id(&cloud.neutron("POST", "subnets", Some(other)).await.ok(201)["subnet"]);
    let twice = "Validation failure: Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.";
    let body = |second: &str| json!({"loadbalancer": {"vip_subnet_id": subnet, "additional_vips": [{"subnet_id": second}]}});
    cloud.post("loadbalancers", body(&subnet)).await.refused(400, twice);
    let made = cloud.post("loadbalancers", body(&other)).await.ok(201)["loadbalancer"].clone();
    let balancer = id(&made);
    let second = made["additional_vips"][0].clone();
    assert_eq!((&second["subnet_id"], &second["port_id"]), (&json!(other), &made["vip_port_id"]));
    cloud.active(&balancer).await;
    let plan = cloud.host.plan(&balancer).unwrap();
    let addresses: Vec<String> = plan.vip.addresses.iter().map(|one| one.addr().to_string()).collect();
    assert_eq!(addresses, [made["vip_address"].as_str().unwrap(), second["ip_address"].as_str().unwrap()]);
    // Both families may be allowed.
    let listener = json!({"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 80,
                          "allowed_cidrs": ["10.0.0.0/8", "2001:db8::/32"]});
    cloud.make(&balancer, "listeners", "listener", listener).await;

    let path = format!("loadbalancers/{balancer}");
    let none = base::id::uuid();
    let change = json!({"loadbalancer": {"vip_qos_policy_id": none}});
    cloud.put(&path, change).await.refused(400, &format!("qos_policy {none} not found."));
    let policy = json!({"policy": {"name": "slow", "shared": true}});
    let policy = cloud.neutron_as("admin", "POST", "qos/policies", Some(policy)).await.ok(201);
    let policy = id(&policy["policy"]);
    let change = json!({"loadbalancer": {"vip_qos_policy_id": policy}});
    cloud.put(&path, change).await.ok(200);
    let port = format!("ports/{}", made["vip_port_id"].as_str().unwrap());
    assert_eq!(cloud.neutron("GET", &port, None).await.ok(200)["port"]["qos_policy_id"], policy);
    cloud.active(&balancer).await;
}

impl Cloud {
    /// The ports that say they are load balancers'.
    async fn ports_of_balancers(&self, network: &str) -> Vec<Value> {
        let path = format!("ports?network_id={network}&device_owner=Octavia");
        self.neutron("GET", &path, None).await.ok(200)["ports"].as_array().unwrap().clone()
    }

    async fn lose(&self, port: &Value) {
        let path = format!("ports/{}", port.as_str().unwrap());
        assert_eq!(self.neutron("DELETE", &path, None).await.status, 204);
    }
}

#[tokio::test]
async fn a_leg_that_is_deleted_is_made_again() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let (network, subnet) = cloud.subnet().await;
    let listener = json!({"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 80});
    let listener = id(&cloud.make(&balancer, "listeners", "listener", listener).await);
    let pool = json!({"listener_id": listener, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = id(&cloud.make(&balancer, "pools", "pool", pool).await);
    let member = json!({"address": "10.0.0.7", "protocol_port": 80, "subnet_id": subnet});
    cloud.make(&balancer, &format!("pools/{pool}/members"), "member", member).await;
    let leg = cloud.ports_of_balancers(&network).await[0]["id"].clone();
    cloud.lose(&leg).await;
    let path = format!("loadbalancers/{balancer}");
    cloud.put(&path, json!({"loadbalancer": {"name": "x"}})).await.ok(200);
    cloud.active(&balancer).await;
    let made = cloud.ports_of_balancers(&network).await[0].clone();
    assert!(made["id"] != leg && made["status"] == "ACTIVE", "{made}");
    assert_eq!(cloud.host.plan(&balancer).unwrap().legs[0].port_id, made["id"].as_str().unwrap());
    // Whoever looks after the members sees it as well, without a change.
    let monitor = json!({"pool_id": pool, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2});
    cloud.make(&balancer, "healthmonitors", "healthmonitor", monitor).await;
    cloud.lose(&made["id"]).await;
    for _ in 0..1000 {
        let ports = cloud.ports_of_balancers(&network).await;
        if ports.iter().any(|port| port["status"] == "ACTIVE") {
            let legs = cloud.host.plan(&balancer).unwrap().legs;
            assert_eq!(legs[0].port_id, ports[0]["id"].as_str().unwrap());
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the leg is not made again");
}

#[tokio::test]
async fn a_failover_makes_the_vips_port_again_when_it_is_gone() {
    let cloud = Cloud::start().await;
    let (network, subnet) = cloud.subnet().await;
    let other = json!({"subnet": {"network_id": network, "ip_version": 6, "cidr": "2001:db8::/64"}});
    let other = id(&cloud.neutron("POST", "subnets", Some(other)).await.ok(201)["subnet"]);
    let given = json!({"port": {"network_id": network, "fixed_ips": [{"subnet_id": subnet}]}});
    let given = id(&cloud.neutron("POST", "ports", Some(given)).await.ok(201)["port"]);
    for fields in [
        json!({"vip_subnet_id": subnet, "additional_vips": [{"subnet_id": other}]}),
        json!({"vip_port_id": given}),
    ] {
        let made = cloud.post("loadbalancers", json!({ "loadbalancer": fields })).await.ok(201);
        let made = made["loadbalancer"].clone();
        let balancer = id(&made);
        cloud.active(&balancer).await;
        cloud.lose(&made["vip_port_id"]).await;
        let path = format!("loadbalancers/{balancer}");
        let failover = async || cloud.call("admin", "PUT", &format!("{path}/failover"), None).await;
        // Somebody else may be there by now.
        let address = json!([{"subnet_id": subnet, "ip_address": made["vip_address"]}]);
        let thief = json!({"port": {"network_id": network, "fixed_ips": address}});
        let thief = cloud.neutron("POST", "ports", Some(thief)).await.ok(201)["port"]["id"].clone();
        let answer = failover().await;
        assert_eq!(answer.status, 409, "{}", answer.body);
        cloud.lose(&thief).await;
        assert_eq!(failover().await.status, 202);
        cloud.active(&balancer).await;
        let anew = cloud.get(&path).await["loadbalancer"].clone();
        assert_eq!(anew["vip_address"], made["vip_address"]);
        assert_ne!(anew["vip_port_id"], made["vip_port_id"]);
        for (before, after) in made["additional_vips"]
            .as_array()
            .unwrap()
            .iter()
            .zip(anew["additional_vips"].as_array().unwrap())
        {
            assert_eq!(
                (&before["ip_address"], &anew["vip_port_id"]),
                (&after["ip_address"], &after["port_id"])
            );
        }
        assert_eq!(cloud.host.plan(&balancer).unwrap().vip.port_id, anew["vip_port_id"].as_str().unwrap());
        // It is the load balancer's own, and goes with it.
        assert_eq!(cloud.ports_of_balancers(&network).await.len(), 1);
        assert_eq!(cloud.delete(&path).await.status, 204);
        cloud.until("loadbalancers", "/loadbalancers", json!([])).await;
        assert_eq!(cloud.ports_of_balancers(&network).await.len(), 0);
    }
}

#[tokio::test]
async fn the_vips_port_goes_whatever_its_owner_says_of_it() {
    let cloud = Cloud::start().await;
    let (_, subnet) = cloud.subnet().await;
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet}});
    let made = cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"].clone();
    cloud.active(&id(&made)).await;
    let port = format!("ports/{}", made["vip_port_id"].as_str().unwrap());
    let body = json!({"port": {"device_owner": "mine", "device_id": ""}});
    cloud.neutron("PUT", &port, Some(body)).await.ok(200);
    assert_eq!(cloud.delete(&format!("loadbalancers/{}", id(&made))).await.status, 204);
    cloud.until("loadbalancers", "/loadbalancers", json!([])).await;
    assert_eq!(cloud.neutron("GET", &port, None).await.status, 404);
}
