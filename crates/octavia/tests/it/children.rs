//! What hangs on a load balancer.

use serde_json::{Value, json};

use crate::cloud::{Cloud, id};

#[tokio::test(flavor = "multi_thread")]
async fn listeners_come_and_go() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    let fields = json!({"protocol": "HTTP", "protocol_port": 80, "loadbalancer_id": lb});
    let made = cloud.make(&lb, "listeners", "listener", fields.clone()).await;
    let path = format!("listeners/{}", id(&made));
    for (name, value) in [
        ("connection_limit", json!(-1)),
        ("timeout_client_data", json!(50000)),
        ("insert_headers", json!({})),
        ("allowed_cidrs", Value::Null),
        ("default_pool_id", Value::Null),
        ("loadbalancers", json!([{"id": lb}])),
        ("client_authentication", json!("NONE")),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    let taken = "Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80";
    cloud.post("listeners", json!({ "listener": fields })).await.refused(409, taken);
    let missing = "Invalid input for field/attribute protocol. Value: 'None'. Mandatory field missing.";
    let body = json!({"listener": {"protocol_port": 81, "loadbalancer_id": lb}});
    cloud.post("listeners", body).await.refused(400, missing);

    let change = json!({"listener": {"connection_limit": 5, "allowed_cidrs": ["10.0.0.0/8"]}});
    let changed = cloud.put(&path, change).await.ok(200)["listener"].clone();
    assert_eq!(changed["provisioning_status"], "PENDING_UPDATE");
    cloud.active(&lb).await;
    let plan = cloud.host.plan(&lb).unwrap().listeners.remove(0);
    assert_eq!((plan.connection_limit, plan.allowed), (Some(5), vec!["10.0.0.0/8".parse().unwrap()]));
    cloud.put(&path, json!({"listener": {"connection_limit": null, "allowed_cidrs": []}})).await.ok(200);
    cloud.active(&lb).await;
    assert_eq!(cloud.get(&path).await["listener"]["allowed_cidrs"], Value::Null);
    assert_eq!(cloud.delete(&path).await.status, 204);
    cloud.until("listeners", "/listeners", json!([])).await;
    cloud.active(&lb).await;
    assert!(cloud.host.plan(&lb).unwrap().listeners.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_members_and_monitors() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    let fields = json!({"protocol": "TCP", "protocol_port": 80, "loadbalancer_id": lb});
    let listener = id(&cloud.make(&lb, "listeners", "listener", fields).await);
    let fields = json!({"protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "listener_id": listener});
    let made = cloud.make(&lb, "pools", "pool", fields.clone()).await;
    assert_eq!(made["listeners"], json!([{"id": listener}]));
    let pool = id(&made);
    let shown = cloud.get(&format!("listeners/{listener}")).await;
    assert_eq!(shown["listener"]["default_pool_id"], json!(pool));
    cloud
        .post("pools", json!({ "pool": fields }))
        .await
        .refused(409, "This listener already has a default pool");
    let other = json!({"pool": {"protocol": "UDP", "lb_algorithm": "ROUND_ROBIN", "listener_id": listener}});
    let words =
        "Validation failure: The pool protocol 'UDP' is invalid while the listener protocol is 'TCP'.";
    cloud.post("pools", other).await.refused(400, words);

    let members = format!("pools/{pool}/members");
    let fields = json!({"address": "10.0.0.11", "protocol_port": 80, "weight": 5});
    let member = cloud.make(&lb, &members, "member", fields.clone()).await;
    assert_eq!(member["operating_status"], "NO_MONITOR");
    let taken = "Another member on this pool is already using ip 10.0.0.11 on protocol_port 80";
    cloud.post(&members, json!({ "member": fields })).await.refused(409, taken);
    let monitor = json!({"type": "TCP", "delay": 2, "timeout": 1, "max_retries": 2, "pool_id": pool});
    let made = cloud.make(&lb, "healthmonitors", "healthmonitor", monitor.clone()).await;
    assert_eq!((&made["pools"], &made["http_method"]), (&json!([{"id": pool}]), &Value::Null));
    let again = cloud.post("healthmonitors", json!({ "healthmonitor": monitor })).await;
    again.refused(409, "This pool already has a health monitor");
    let own = format!("{members}/{}", id(&member));
    cloud.until(&own, "/member/operating_status", json!("ONLINE")).await;
    cloud.put(&own, json!({"member": {"weight": 0}})).await.ok(200);
    cloud.until(&own, "/member/operating_status", json!("DRAINING")).await;
    cloud.active(&lb).await;

    // All at once: one stays and is changed, one is new.
    let batch = json!({"members": [
        {"address": "10.0.0.11", "protocol_port": 80, "weight": 3},
        {"address": "10.0.0.12", "protocol_port": 80},
    ]});
    assert_eq!(cloud.put(&members, batch).await.status, 202);
    cloud.active(&lb).await;
    let list = cloud.get(&members).await["members"].as_array().unwrap().clone();
    assert_eq!(list.iter().map(|m| m["weight"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 1]);
    let batch = json!({"members": [{"address": "10.0.0.13", "protocol_port": 80}]});
    assert_eq!(cloud.put(&format!("{members}?additive_only=true"), batch.clone()).await.status, 202);
    cloud.active(&lb).await;
    assert_eq!(cloud.get(&members).await["members"].as_array().unwrap().len(), 3);
    assert_eq!(cloud.put(&members, batch).await.status, 202);
    cloud.active(&lb).await;
    assert_eq!(cloud.get(&members).await["members"].as_array().unwrap().len(), 1);

    assert_eq!(cloud.delete(&format!("pools/{pool}")).await.status, 204);
    cloud.active(&lb).await;
    let shown = cloud.get(&format!("listeners/{listener}")).await;
    assert_eq!(shown["listener"]["default_pool_id"], Value::Null);
    assert_eq!(cloud.get("healthmonitors").await["healthmonitors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_have_places_and_rules() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    let fields = json!({"protocol": "HTTP", "protocol_port": 80, "loadbalancer_id": lb});
    let listener = id(&cloud.make(&lb, "listeners", "listener", fields).await);
    let policy = |position: Value| json!({"action": "REJECT", "listener_id": listener, "position": position});
    let first = cloud.make(&lb, "l7policies", "l7policy", policy(json!(1))).await;
    let second = cloud.make(&lb, "l7policies", "l7policy", policy(json!(1))).await;
    assert_eq!(second["position"], 1);
    let shown = cloud.get(&format!("l7policies/{}", id(&first))).await;
    assert_eq!(shown["l7policy"]["position"], 2);
    let shown = cloud.get(&format!("listeners/{listener}")).await;
    assert_eq!(shown["listener"]["l7policies"], json!([{"id": second["id"]}, {"id": first["id"]}]));
    let rules = format!("l7policies/{}/rules", id(&second));
    let rule = json!({"type": "PATH", "compare_type": "STARTS_WITH", "value": "/admin"});
    let rule = cloud.make(&lb, &rules, "rule", rule).await;
    let bad = json!({"rule": {"type": "HEADER", "compare_type": "EQUAL_TO", "value": "x"}});
    let words = "Error parsing L7Rule: Invalid L7 Rule: L7 rule type requires a key";
    cloud.post(&rules, bad).await.refused(400, words);
    let plan = cloud.host.plan(&lb).unwrap();
    assert_eq!(plan.listeners[0].policies.len(), 1, "one without rules is about nothing");
    cloud.put(&format!("{rules}/{}", id(&rule)), json!({"rule": {"invert": true}})).await.ok(200);
    cloud.active(&lb).await;
    assert!(cloud.host.plan(&lb).unwrap().listeners[0].policies[0].rules[0].invert);
    let url = json!({"l7policy": {"action": "REDIRECT_TO_URL", "redirect_url": "https://example.org/"}});
    let changed = cloud.put(&format!("l7policies/{}", id(&second)), url).await.ok(200)["l7policy"].clone();
    assert_eq!(changed["redirect_http_code"], 302);
    cloud.active(&lb).await;
    assert_eq!(cloud.delete(&format!("l7policies/{}", id(&second))).await.status, 204);
    cloud.active(&lb).await;
    let shown = cloud.get(&format!("l7policies/{}", id(&first))).await;
    assert_eq!(shown["l7policy"]["position"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_sorted_and_paged() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    for (port, name, tags) in [(80, "b", json!(["x"])), (81, "a", json!(["x", "y"])), (82, "c", json!([]))] {
        let fields = json!({
            "protocol": "TCP", "protocol_port": port, "name": name, "tags": tags, "loadbalancer_id": lb,
        });
        cloud.make(&lb, "listeners", "listener", fields).await;
    }
    let names = async |query: &str| -> Vec<String> {
        let body = cloud.get(&format!("listeners?{query}")).await;
        let list = body["listeners"].as_array().unwrap().clone();
        list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("sort=name:desc").await, ["c", "b", "a"]);
    assert_eq!(names("sort_key=protocol_port&sort_dir=desc").await, ["c", "a", "b"]);
    assert_eq!(names("tags=x,y").await, ["a"]);
    assert_eq!(names("not-tags=x").await, ["c"]);
    assert_eq!(names(&format!("loadbalancer_id={lb}&protocol_port=81")).await, ["a"]);
    assert_eq!(names("project_id=alice").await.len(), 3);
    let page = cloud.get("listeners?limit=2&sort=name").await;
    assert_eq!(page["listeners"].as_array().unwrap().len(), 2);
    let next = page["listeners_links"][0]["href"].as_str().unwrap();
    assert!(next.starts_with("http://cloud.example:5000/"), "{next}");
    let marker = next.rsplit("marker=").next().unwrap().to_owned();
    assert_eq!(names(&format!("limit=2&sort=name&marker={marker}")).await, ["c"]);
    let short = cloud.get("listeners?fields=id&fields=name").await["listeners"][0].clone();
    assert_eq!(short.as_object().unwrap().len(), 2);
    let call = async |query: &str| cloud.call("alice", "GET", &format!("listeners?{query}"), None).await;
    call("colour=red").await.refused(400, "One or more arguments are either duplicate or invalid");
    call("sort=colour").await.refused(400, "Supplied sort key 'colour' is not valid.");
    call("marker=x").await.refused(400, "Supplied pagination marker 'x' is not valid.");
    call("limit=x").await.refused(400, "Supplied pagination limit 'x' is not valid.");
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_are_passed_on_beside_http() {
    let cloud = Cloud::start().await;
    let lb = cloud.balancer().await;
    let http = json!({"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 53});
    cloud.make(&lb, "listeners", "listener", http).await;
    let udp = json!({"loadbalancer_id": lb, "protocol": "UDP", "protocol_port": 53});
    let udp = id(&cloud.make(&lb, "listeners", "listener", udp).await);
    let pool = json!({"listener_id": udp, "protocol": "UDP", "lb_algorithm": "SOURCE_IP_PORT",
                      "session_persistence": {"type": "SOURCE_IP", "persistence_granularity": "255.255.255.0"}});
    let pool = id(&cloud.make(&lb, "pools", "pool", pool).await);
    let monitor = json!({"pool_id": pool, "type": "UDP-CONNECT", "delay": 5, "timeout": 2, "max_retries": 2});
    cloud.make(&lb, "healthmonitors", "healthmonitor", monitor).await;
    let plan = cloud.host.plan(&lb).unwrap();
    assert_eq!(plan.listeners.iter().map(|one| one.forwarded).collect::<Vec<_>>(), [false, true]);
    let pool = &plan.pools[0];
    assert!(pool.forwarded && pool.monitor.is_some());
    assert_eq!(pool.granularity, Some("255.255.255.0".parse().unwrap()));
    let pool = json!({"loadbalancer_id": lb, "protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT"});
    cloud.make(&lb, "pools", "pool", pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_l4_looks_into_nothing() {
    let cloud = Cloud::start().await;
    let (_, subnet) = cloud.subnet().await;
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "provider": "l4"}});
    let lb = id(&cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"]);
    cloud.active(&lb).await;
    let refused = async |collection: &str, body: Value, words: &str| {
        let answer = cloud.post(collection, body).await;
        let words = format!("Provider 'l4' does not support a requested option: {words}");
        assert_eq!((answer.status, answer.body["faultstring"].as_str()), (501, Some(words.as_str())));
    };
    let listener = |protocol: &str| json!({"loadbalancer_id": lb, "protocol": protocol, "protocol_port": 80});
    refused("listeners", json!({"listener": listener("HTTP")}), "protocol HTTP").await;
    let tcp = id(&cloud.make(&lb, "listeners", "listener", listener("TCP")).await);
    let pool = |more: Value| {
        let mut pool = json!({"listener_id": tcp, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
        pool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "pool": pool })
    };
    refused("pools", pool(json!({"protocol": "PROXY"})), "protocol PROXY").await;
    let least = "lb_algorithm LEAST_CONNECTIONS";
    refused("pools", pool(json!({"lb_algorithm": "LEAST_CONNECTIONS"})), least).await;
    refused("pools", pool(json!({"tls_enabled": true})), "tls_enabled").await;
    let made = pool(json!({"lb_algorithm": "SOURCE_IP_PORT"}))["pool"].clone();
    let made = id(&cloud.make(&lb, "pools", "pool", made).await);
    let policy = json!({"l7policy": {"listener_id": tcp, "action": "REJECT"}});
    refused("l7policies", policy, "L7 policies").await;
    let monitor =
        |kind: &str| json!({"pool_id": made, "type": kind, "delay": 5, "timeout": 2, "max_retries": 2});
    let hello = json!({"healthmonitor": monitor("TLS-HELLO")});
    refused("healthmonitors", hello, "health monitor type TLS-HELLO").await;
    cloud.make(&lb, "healthmonitors", "healthmonitor", monitor("PING")).await;
    let plan = cloud.host.plan(&lb).unwrap();
    assert!(plan.listeners[0].forwarded && plan.pools[0].forwarded);
}
