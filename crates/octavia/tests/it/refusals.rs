//! What Octavia refuses, in its own words, and that nothing of it is left.

use serde_json::{Value, json};

use crate::cloud::{Cloud, id};

/// All that there is of load balancers, and their ports.
async fn everything(cloud: &Cloud) -> Vec<Value> {
    let mut all = Vec::new();
    for list in ["loadbalancers", "listeners", "pools", "healthmonitors", "l7policies"] {
        all.push(cloud.get(list).await);
    }
    all.push(cloud.neutron("GET", "ports?device_owner=Octavia", None).await.ok(200));
    all
}

/// One of each: HTTP on port 80 with a policy, its pool with a member and a monitor.
struct Tree {
    balancer: String,
    network: String,
    subnet: String,
    listener: String,
    pool: String,
    member: String,
    monitor: String,
    policy: String,
    rule: String,
}

async fn tree(cloud: &Cloud) -> Tree {
    let (network, subnet) = cloud.subnet().await;
    let body = json!({"loadbalancer": {"vip_subnet_id": subnet, "vip_address": "10.0.0.50", "listeners": [{
        "protocol": "HTTP", "protocol_port": 80,
        "default_pool": {
            "name": "main", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
            "healthmonitor": {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2},
            "members": [{"address": "10.0.0.11", "protocol_port": 80}],
        },
        "l7policies": [{
            "action": "REJECT", "rules": [{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/x"}],
        }],
    }]}});
    let made = cloud.post("loadbalancers", body).await.ok(201)["loadbalancer"].clone();
    let (listener, pool) = (&made["listeners"][0], &made["pools"][0]);
    let policy = &listener["l7policies"][0];
    Tree {
        balancer: id(&made),
        network,
        subnet,
        listener: id(listener),
        pool: id(pool),
        member: id(&pool["members"][0]),
        monitor: id(&pool["healthmonitor"]),
        policy: id(policy),
        rule: id(&policy["rules"][0]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_changes_nothing() {
    let cloud = Cloud::start().await;
    let Tree { balancer, network, subnet, listener, pool, policy, .. } = tree(&cloud).await;
    cloud.active(&balancer).await;
    let own = format!("loadbalancers/{balancer}");
    cloud.until(&own, "/loadbalancer/operating_status", json!("ONLINE")).await;
    let before = everything(&cloud).await;
    let nobody = base::id::uuid();
    let members = format!("pools/{pool}/members");
    let rules = format!("l7policies/{policy}/rules");
    let listener_of = |protocol: &str, port: u32, more: Value| {
        let mut body = json!({"protocol": protocol, "protocol_port": port, "loadbalancer_id": balancer});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "listener": body })
    };
    let member = |address: &str, more: Value| {
        let mut body = json!({"address": address, "protocol_port": 80});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "member": body })
    };
    let taken = "Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80";
    for (collection, body, status, words) in [
        ("listeners", listener_of("TCP", 80, json!({})), 409, taken.to_owned()),
        (
            "listeners",
            listener_of("TCP", 0, json!({})),
            400,
            "Invalid input for field/attribute protocol_port. Value: '0'. Value should be greater or equal to 1"
                .into(),
        ),
        (
            "listeners",
            listener_of("TCP", 81, json!({"timeout_client_data": 2_073_600_001_i64})),
            400,
            "Invalid input for field/attribute timeout_client_data. Value: '2073600001'. Value should be lower or \
             equal to 2073600000"
                .into(),
        ),
        (
            "listeners",
            listener_of("TCP", 81, json!({"connection_limit": -2})),
            400,
            "Invalid input for field/attribute connection_limit. Value: '-2'. Value should be greater or equal to -1"
                .into(),
        ),
        (
            "listeners",
            listener_of("TERMINATED_HTTPS", 443, json!({})),
            400,
            "Validation failure: An SNI or default certificate container reference must be provided for \
             TERMINATED_HTTPS protocol listeners."
                .into(),
        ),
        (
            "listeners",
            listener_of("TCP", 81, json!({"hsts_max_age": 5})),
            400,
            "Validation failure: The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol."
                .into(),
        ),
        (
            "listeners",
            listener_of("HTTP", 81, json!({"default_pool_id": nobody})),
            404,
            format!("Pool {nobody} not found."),
        ),
        (members.as_str(), member("10.0.0.12", json!({"subnet_id": nobody})), 400, format!("Subnet {nobody} not found.")),
        (
            members.as_str(),
            member("169.254.169.254", json!({})),
            400,
            "169.254.169.254 is not a valid option for member address".into(),
        ),
        (
            members.as_str(),
            member("10.0.0.12", json!({"weight": 257})),
            400,
            "Invalid input for field/attribute weight. Value: '257'. Value should be lower or equal to 256".into(),
        ),
        (
            members.as_str(),
            member("10.0.0.11", json!({})),
            409,
            "Another member on this pool is already using ip 10.0.0.11 on protocol_port 80".into(),
        ),
        (
            "healthmonitors",
            json!({"healthmonitor": {"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2, "pool_id": pool}}),
            409,
            "This pool already has a health monitor".into(),
        ),
        (
            "healthmonitors",
            json!({"healthmonitor": {"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 11, "pool_id": pool}}),
            400,
            "Invalid input for field/attribute max_retries. Value: '11'. Value should be lower or equal to 10".into(),
        ),
        (
            "pools",
            json!({"pool": {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "listener_id": listener}}),
            409,
            "This listener already has a default pool".into(),
        ),
        (
            "pools",
            json!({"pool": {"protocol": "HTTP", "lb_algorithm": "FASTEST", "loadbalancer_id": balancer}}),
            400,
            "Invalid input for field/attribute lb_algorithm. Value: 'FASTEST'. Value should be one of: ROUND_ROBIN, \
             LEAST_CONNECTIONS, SOURCE_IP, SOURCE_IP_PORT"
                .into(),
        ),
        (
            "l7policies",
            json!({"l7policy": {"action": "REDIRECT_TO_POOL", "listener_id": listener}}),
            400,
            "Invalid L7 Policy arguments: redirect_pool_id or redirect_pool must not be None".into(),
        ),
        (
            rules.as_str(),
            json!({"rule": {"type": "SSL_DN_FIELD", "compare_type": "EQUAL_TO", "key": "C N", "value": "x"}}),
            400,
            "Error parsing L7Rule: Invalid L7 Rule: Invalid L7rule distinguished name field.".into(),
        ),
    ] {
        cloud.post(collection, body).await.refused(status, &words);
    }
    let vip = json!({"loadbalancer": {"vip_subnet_id": subnet, "vip_address": "10.0.0.50"}});
    let words = format!(
        "The VIP IP address is already in use: Unable to complete operation for network {network}. The IP address \
         10.0.0.50 is in use."
    );
    cloud.post("loadbalancers", vip).await.refused(409, &words);
    let words = "169.254.169.254 is not a valid option for member address";
    let batch = json!({"members": [
        {"address": "10.0.0.12", "protocol_port": 80}, {"address": "169.254.169.254", "protocol_port": 80},
    ]});
    cloud.put(&members, batch).await.refused(400, words);
    assert_eq!(everything(&cloud).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_quota_nothing_is_half_made() {
    let cloud = Cloud::start().await;
    let Tree { balancer, subnet, listener, pool, policy, .. } = tree(&cloud).await;
    cloud.active(&balancer).await;
    let own = format!("loadbalancers/{balancer}");
    cloud.until(&own, "/loadbalancer/operating_status", json!("ONLINE")).await;
    let spare = json!({"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "loadbalancer_id": balancer});
    let spare = id(&cloud.make(&balancer, "pools", "pool", spare).await);
    let before = everything(&cloud).await;
    let limits = json!({"quota": {
        "listener": 1, "pool": 2, "member": 1, "healthmonitor": 1, "l7policy": 1, "l7rule": 1,
    }});
    cloud.call("admin", "PUT", "quotas/alice", Some(limits)).await.ok(202);
    let members = format!("pools/{pool}/members");
    let rules = format!("l7policies/{policy}/rules");
    for (collection, body, what) in [
        (
            "listeners",
            json!({"listener": {"protocol": "TCP", "protocol_port": 81, "loadbalancer_id": balancer}}),
            "Listener",
        ),
        (
            "pools",
            json!({"pool": {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "loadbalancer_id": balancer}}),
            "Pool",
        ),
        (members.as_str(), json!({"member": {"address": "10.0.0.12", "protocol_port": 80}}), "Member"),
        (
            "healthmonitors",
            json!({"healthmonitor": {"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2, "pool_id": spare}}),
            "Health Monitor",
        ),
        ("l7policies", json!({"l7policy": {"action": "REJECT", "listener_id": listener}}), "L7 Policy"),
        (
            rules.as_str(),
            json!({"rule": {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/y"}}),
            "L7 Rule",
        ),
    ] {
        let words = format!("Quota has been met for resources: {what}");
        cloud.post(collection, body).await.refused(403, &words);
    }
    let batch = json!({"members": [
        {"address": "10.0.0.11", "protocol_port": 80}, {"address": "10.0.0.12", "protocol_port": 80},
    ]});
    cloud.put(&members, batch).await.refused(403, "Quota has been met for resources: Member");
    let whole = json!({"loadbalancer": {"vip_subnet_id": subnet, "listeners": [{
        "protocol": "HTTP", "protocol_port": 80,
        "default_pool": {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"},
    }]}});
    cloud.post("loadbalancers", whole).await.refused(403, "Quota has been met for resources: Pool");
    assert_eq!(everything(&cloud).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_immutable() {
    let cloud = Cloud::idle().await;
    let Tree { balancer, listener, pool, member, monitor, policy, rule, .. } = tree(&cloud).await;
    let before = everything(&cloud).await;
    let immutable = |what: &str, id: &str| format!("{what} {id} is immutable and cannot be updated.");
    let (lb, of_pool) = (immutable("Load Balancer", &balancer), immutable("Pool", &pool));
    let of_policy = immutable("L7Policy", &policy);
    for (path, noun, words) in [
        (format!("listeners/{listener}"), "listener", &lb),
        (format!("pools/{pool}"), "pool", &lb),
        (format!("pools/{pool}/members/{member}"), "member", &of_pool),
        (format!("healthmonitors/{monitor}"), "healthmonitor", &of_pool),
        (format!("l7policies/{policy}"), "l7policy", &lb),
        (format!("l7policies/{policy}/rules/{rule}"), "rule", &of_policy),
    ] {
        let change = json!({ noun: {"admin_state_up": false} });
        cloud.put(&path, change).await.refused(409, words);
        cloud.delete(&path).await.refused(409, words);
    }
    for (collection, body, words) in [
        (
            "pools".to_owned(),
            json!({"pool": {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "loadbalancer_id": balancer}}),
            &lb,
        ),
        (
            format!("pools/{pool}/members"),
            json!({"member": {"address": "10.0.0.12", "protocol_port": 80}}),
            &of_pool,
        ),
        (
            format!("l7policies/{policy}/rules"),
            json!({"rule": {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/y"}}),
            &of_policy,
        ),
        ("l7policies".to_owned(), json!({"l7policy": {"action": "REJECT", "listener_id": listener}}), &lb),
    ] {
        cloud.post(&collection, body).await.refused(409, words);
    }
    cloud.put(&format!("pools/{pool}/members"), json!({"members": []})).await.refused(409, &of_pool);
    let failover = cloud.call("admin", "PUT", &format!("loadbalancers/{balancer}/failover"), None).await;
    failover.refused(409, &format!("Invalid state PENDING_CREATE of loadbalancer resource {balancer}"));
    assert_eq!(everything(&cloud).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_listeners_and_pools_cannot_do() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let refused = async |collection: &str, body: Value, words: &str| {
        let words = format!("Provider 'haproxy' does not support a requested option: {words}");
        let answer = cloud.post(collection, body).await;
        assert_eq!((answer.status, answer.body["faultstring"].as_str()), (501, Some(words.as_str())));
    };
    let listener =
        |protocol: &str| json!({"loadbalancer_id": balancer, "protocol": protocol, "protocol_port": 53});
    let udp = id(&cloud.make(&balancer, "listeners", "listener", listener("UDP")).await);
    let tcp = id(&cloud.make(&balancer, "listeners", "listener", listener("TCP")).await);
    let policy = json!({"l7policy": {"listener_id": tcp, "action": "REJECT"}});
    refused("l7policies", policy, "TCP protocol listeners do not support L7 policies").await;
    let pool = json!({"listener_id": udp, "protocol": "UDP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = id(&cloud.make(&balancer, "pools", "pool", pool).await);
    let monitor = |delay: u32| {
        json!({"healthmonitor": {
            "type": "UDP-CONNECT", "delay": delay, "timeout": 2, "max_retries": 2, "pool_id": pool,
        }})
    };
    let words = "Validation failure: The request delay value 2 should be larger than 3 for UDP-CONNECT health monitor \
                 type.";
    cloud.post("healthmonitors", monitor(2)).await.refused(400, words);
    let made = monitor(3)["healthmonitor"].clone();
    let made = id(&cloud.make(&balancer, "healthmonitors", "healthmonitor", made).await);
    let change = json!({"healthmonitor": {"delay": 2}});
    cloud.put(&format!("healthmonitors/{made}"), change).await.refused(400, words);
    let member = json!({"member": {"address": "2001:db8::7", "protocol_port": 53}});
    let words = "This provider doesn't support mixing IPv4 and IPv6 addresses for its VIP and members in UDP load \
                 balancers.";
    refused(&format!("pools/{pool}/members"), member, words).await;
    let headers = json!({"listener": {"insert_headers": {"X-Forwarded-For": "true"}}});
    let words = "Validation failure: UDP protocol listener does not support TLS or header insertion.";
    cloud.put(&format!("listeners/{udp}"), headers).await.refused(400, words);
}

/// Whoever speaks no TLS yet may do so with the next change.
#[tokio::test(flavor = "multi_thread")]
async fn ciphers_are_judged_before_tls_is_spoken() {
    let cloud = Cloud::start().await;
    let balancer = cloud.balancer().await;
    let words = "Validation failure: Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and \
                 . are allowed.";
    let bad = "ALL agent-check";
    let mut pool = json!({
        "loadbalancer_id": balancer, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "tls_enabled": false,
    });
    let mut listener = json!({"loadbalancer_id": balancer, "protocol": "HTTP", "protocol_port": 80});
    for (collection, noun, body) in [("pools", "pool", &mut pool), ("listeners", "listener", &mut listener)] {
        body["tls_ciphers"] = bad.into();
        cloud.post(collection, json!({ noun: body })).await.refused(400, words);
        body["tls_ciphers"] = "ALL:!NULL".into();
        let made = id(&cloud.make(&balancer, collection, noun, body.clone()).await);
        let change = json!({ noun: {"tls_ciphers": bad} });
        cloud.put(&format!("{collection}/{made}"), change).await.refused(400, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_amphorae() {
    let cloud = Cloud::idle().await;
    let nobody = base::id::uuid();
    let call = async |token: &str, method: &str, path: &str| {
        cloud.raw_as(token, method, &format!("/v2.0/octavia/amphorae{path}")).await
    };
    assert_eq!(call("admin", "GET", "").await.ok(200), json!({"amphorae": [], "amphorae_links": []}));
    let words = format!("Amphora {nobody} not found.");
    for (method, more) in
        [("GET", ""), ("DELETE", ""), ("GET", "/stats"), ("PUT", "/config"), ("PUT", "/failover")]
    {
        call("admin", method, &format!("/{nobody}{more}")).await.refused(404, &words);
        assert_eq!(call("alice", method, &format!("/{nobody}{more}")).await.status, 403);
    }
}
