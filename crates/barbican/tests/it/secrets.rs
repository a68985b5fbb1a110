use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::cloud::Cloud;

const MEMBER: &str = "ann:member@p1";
const TEXT: &str = "text/plain";
const BINARY: &str = "application/octet-stream";

fn text(payload: &str) -> Value {
    json!({"name": "n", "payload": payload, "payload_content_type": TEXT})
}

#[tokio::test]
async fn a_secret_is_told_of_and_read_apart() {
    let cloud = Cloud::start().await;
    let path = cloud.secret(MEMBER, text("rosebud")).await;
    let told = cloud.get(MEMBER, &path).await.is(200).body;
    for (key, value) in [
        ("name", json!("n")),
        ("secret_type", json!("opaque")),
        ("content_types", json!({"default": TEXT})),
        ("status", json!("ACTIVE")),
        ("creator_id", json!("ann")),
        ("bit_length", Value::Null),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    assert!(told["secret_ref"].as_str().unwrap().starts_with("http://cloud/key-manager/v1/secrets/"));
    assert!(!told.to_string().contains("rosebud"));
    let shown_as = "text/plain; charset=UTF-8";
    for (accept, kind) in [(TEXT, shown_as), ("*/*", shown_as), (BINARY, BINARY)] {
        let read = cloud.payload(MEMBER, &path, accept).await.is(200);
        assert_eq!(
            (&read.bytes[..], read.headers["content-type"].to_str().unwrap()),
            (&b"rosebud"[..], kind)
        );
    }
    cloud.payload(MEMBER, &path, "image/png").await.is(406);
    // The older way, by the secret's own address.
    let headers = [("x-auth-token", MEMBER), ("accept", TEXT)];
    assert_eq!(&cloud.raw("GET", &path, &headers, vec![]).await.is(200).bytes[..], b"rosebud");
}

#[tokio::test]
async fn neither_the_database_alone_nor_with_another_key_file_tells_a_payload() {
    let mut cloud = Cloud::start().await;
    let path = cloud.secret(MEMBER, text("rosebud")).await;
    cloud.restart().await.unwrap();
    assert_eq!(&cloud.payload(MEMBER, &path, TEXT).await.is(200).bytes[..], b"rosebud");
    for file in ["c.db", "c.db-wal"] {
        let bytes = std::fs::read(cloud.dir.join(file)).unwrap_or_default();
        assert!(!bytes.windows(7).any(|part| part == b"rosebud"), "{file}");
    }
    let key = cloud.dir.join("secrets.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    // A cloud that cannot open what it keeps does not start, and makes nothing in the place of what is missing.
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert!(cloud.restart().await.is_err());
    assert!(!key.exists());
    for other in ["no key", "yOyHQnrLkiXwpvBjGYa6nk0tjQhyNg0MPZ2WpoJJjIo="] {
        std::fs::write(&key, other).unwrap();
        assert!(cloud.restart().await.is_err(), "{other}");
    }
    std::fs::write(&key, kept).unwrap();
    cloud.restart().await.unwrap();
    assert_eq!(&cloud.payload(MEMBER, &path, TEXT).await.is(200).bytes[..], b"rosebud");
}

#[tokio::test]
async fn a_payload_comes_later_and_once() {
    let cloud = Cloud::start().await;
    let path = cloud.secret(MEMBER, json!({"secret_type": "certificate"})).await;
    let empty = cloud.payload(MEMBER, &path, BINARY).await.is(404);
    assert_eq!(empty.description(), "Not Found. Sorry but your secret has no payload.");
    let put = async |kind: &str, encoding: Option<&str>, bytes: &[u8]| {
        let mut headers = vec![("x-auth-token", MEMBER), ("content-type", kind)];
        headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
        cloud.raw("PUT", &path, &headers, bytes.to_vec()).await
    };
    put("application/json", None, b"{}").await.is(415);
    put(BINARY, None, b"").await.is(400);
    put(BINARY, Some("gzip"), b"x").await.is(400);
    put(BINARY, None, &[b'x'; 20_001]).await.is(413);
    put(BINARY, Some("base64"), b"/wA=").await.is(204);
    let again = put(BINARY, None, b"x").await.is(409);
    assert_eq!(again.description(), "Secret already has data, cannot modify it.");
    assert_eq!(&cloud.payload(MEMBER, &path, BINARY).await.is(200).bytes[..], [0xff, 0]);
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let cloud = Cloud::start().await;
    for n in 0..5 {
        let secret = json!({"name": format!("n{n}"), "bit_length": 8 * (n % 2 + 1), "algorithm": "aes"});
        cloud.secret(MEMBER, secret).await;
    }
    cloud.secret("bob:member@p2", text("x")).await;
    let names = async |query: &str| {
        let body = cloud.get(MEMBER, &format!("/v1/secrets?{query}")).await.is(200).body;
        let secrets = body["secrets"].as_array().unwrap().iter();
        secrets.map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["n0", "n1", "n2", "n3", "n4"]);
    assert_eq!(names("sort=name:desc&limit=2").await, ["n4", "n3"]);
    assert_eq!(names("bits=16").await, ["n1", "n3"]);
    assert_eq!(names("name=n3&alg=aes&secret_type=opaque").await, ["n3"]);
    assert_eq!(names("created=gt:2222-01-01T00:00:00").await, [""; 0]);
    let page = cloud.get(MEMBER, "/v1/secrets?limit=2&offset=2").await.is(200).body;
    assert_eq!(page["total"], 5);
    assert_eq!(page["next"], "http://cloud/key-manager/v1/secrets?limit=2&offset=4");
    assert_eq!(page["previous"], "http://cloud/key-manager/v1/secrets?limit=2&offset=0");
    for bad in ["sort=colour", "created=yesterday"] {
        let refused = cloud.get(MEMBER, &format!("/v1/secrets?{bad}")).await.is(400);
        assert_eq!(refused.description(), "URI provided invalid query string parameters.");
    }
}

#[tokio::test]
async fn what_has_consumers_is_deleted_by_those_who_insist() {
    let cloud = Cloud::start().await;
    let path = cloud.secret(MEMBER, text("x")).await;
    let consumers = format!("{path}/consumers");
    let consumer = json!({"service": "cinder", "resource_type": "volumes", "resource_id": "v"});
    for _ in 0..2 {
        let shown = cloud.post(MEMBER, &consumers, consumer.clone()).await.is(200).body;
        assert_eq!(shown["consumers"], json!([consumer]), "who is there already stays");
    }
    let old = cloud.raw("GET", &path, &[("x-auth-token", MEMBER)], vec![]).await.is(200).body;
    assert!(old.get("consumers").is_none(), "1.0 knows none");
    let refused = cloud.call(MEMBER, "DELETE", &path, Value::Null).await.is(400);
    assert!(refused.description().contains("it has consumers"));
    cloud.call(MEMBER, "DELETE", &format!("{path}?force=perhaps"), Value::Null).await.is(400);
    let other = json!({"service": "cinder", "resource_type": "volumes", "resource_id": "w"});
    cloud.call(MEMBER, "DELETE", &consumers, other).await.is(404);
    cloud.call(MEMBER, "DELETE", &format!("{path}?force=true"), Value::Null).await.is(204);
    assert_eq!(cloud.get(MEMBER, &path).await.is(404).description(), "Secret not found.");
}

#[tokio::test]
async fn metadata_is_written_whole_or_by_name() {
    let cloud = Cloud::start().await;
    let path = cloud.secret(MEMBER, text("x")).await;
    let metadata = format!("{path}/metadata");
    cloud.call(MEMBER, "PUT", &metadata, json!({"metadata": {"Place": "here"}})).await.is(201);
    assert_eq!(cloud.get(MEMBER, &metadata).await.is(200).body, json!({"metadata": {"place": "here"}}));
    cloud.post(MEMBER, &metadata, json!({"key": "place", "value": "x"})).await.is(409);
    cloud.post(MEMBER, &metadata, json!({"key": "a b", "value": "x"})).await.is(400);
    cloud.post(MEMBER, &metadata, json!({"key": "more", "value": "x"})).await.is(201);
    let more = format!("{metadata}/more");
    cloud.call(MEMBER, "PUT", &more, json!({"key": "more", "value": "y"})).await.is(200);
    cloud.call(MEMBER, "PUT", &more, json!({"key": "place", "value": "y"})).await.is(409);
    assert_eq!(cloud.get(MEMBER, &more).await.is(200).body, json!({"key": "more", "value": "y"}));
    cloud.call(MEMBER, "DELETE", &more, Value::Null).await.is(204);
    cloud.get(MEMBER, &more).await.is(404);
    cloud.call(MEMBER, "PUT", &metadata, json!({"metadata": {"n": 1}})).await.is(400);
}

#[tokio::test]
async fn a_key_is_ordered() {
    let cloud = Cloud::start().await;
    let meta = json!({"name": "luks", "algorithm": "aes", "bit_length": 256, "mode": "xts", "payload_content_type": BINARY});
    let wanted = json!({"type": "key", "meta": meta});
    let order = cloud.post(MEMBER, "/v1/orders", wanted).await.is(202).path("order_ref");
    let shown = cloud.get(MEMBER, &order).await.is(200);
    assert_eq!((&shown.body["status"], &shown.body["meta"]["name"]), (&json!("ACTIVE"), &json!("luks")));
    let key = shown.path("secret_ref");
    assert_eq!(cloud.payload(MEMBER, &key, BINARY).await.is(200).bytes.len(), 32);
    cloud.get("bob:member@p2", &order).await.is(404);
    cloud.call(MEMBER, "PUT", "/v1/orders", json!({})).await.is(405);
    cloud.call(MEMBER, "DELETE", &order, Value::Null).await.is(204);
    cloud.get(MEMBER, &key).await.is(200);
}

#[tokio::test]
async fn a_pair_is_ordered_and_its_halves_fit() {
    let cloud = Cloud::start().await;
    let asked = |meta: Value| json!({"type": "asymmetric", "meta": meta});
    let pair = asked(json!({"name": "pair", "algorithm": "RSA", "bit_length": 2048}));
    let order = cloud.post(MEMBER, "/v1/orders", pair).await.is(202).path("order_ref");
    let shown = cloud.get(MEMBER, &order).await.is(200);
    assert_eq!((&shown.body["type"], &shown.body["secret_ref"]), (&json!("asymmetric"), &Value::Null));
    let container = cloud.get(MEMBER, &shown.path("container_ref")).await.is(200).body;
    assert_eq!((&container["type"], &container["name"]), (&json!("rsa"), &json!("pair")));
    let mut files = Vec::new();
    for (at, name) in ["private_key", "public_key"].into_iter().enumerate() {
        let secret = &container["secret_refs"][at];
        assert_eq!(secret["name"], name);
        let path = secret["secret_ref"].as_str().unwrap().split_once("/key-manager").unwrap().1;
        let payload = cloud.payload(MEMBER, path, BINARY).await.is(200).bytes;
        let file = cloud.dir.join(name);
        std::fs::write(&file, &payload).unwrap();
        files.push(file);
    }
    let openssl = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let public = openssl(&["pkey", "-in", files[0].as_str(), "-pubout"]);
    assert_eq!(String::from_utf8(public).unwrap(), std::fs::read_to_string(&files[1]).unwrap());
    for (meta, words) in [
        (json!({"algorithm": "dsa", "bit_length": 2048}), "supported plugin not found"),
        (json!({"algorithm": "rsa", "bit_length": 2040}), "supported plugin not found"),
        (json!({"algorithm": "rsa", "bit_length": 2048, "passphrase": "x"}), "supported plugin not found"),
        (json!({"bit_length": 2048}), "'algorithm' is required field for asymmetric key type order"),
    ] {
        let refused = cloud.post(MEMBER, "/v1/orders", asked(meta)).await.is(400);
        assert!(refused.description().contains(words), "{}", refused.description());
    }
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_in_barbicans_form() {
    let cloud = Cloud::start().await;
    let headers = [("x-auth-token", MEMBER), ("content-type", "application/json")];
    let malformed = cloud.raw("POST", "/v1/secrets", &headers, b"{".to_vec()).await.is(400);
    assert_eq!(malformed.body, json!({"code": 400, "title": "Bad Request", "description": "Malformed JSON"}));
    let headers = [("x-auth-token", MEMBER), ("content-type", TEXT)];
    let other = cloud.raw("POST", "/v1/secrets", &headers, b"{}".to_vec()).await.is(415);
    assert!(other.description().contains("Expected content types are: ['application/json']"));
    cloud.get(MEMBER, "/v1/secrets/none").await.is(404);
    cloud.get(MEMBER, "/v1/secrets/00000000-0000-0000-0000-000000000000").await.is(404);
}

#[tokio::test]
async fn versions_are_told_in_the_form_that_was_asked_for() {
    let cloud = Cloud::start().await;
    let old = cloud.raw("GET", "/", &[], vec![]).await.is(300).body;
    assert_eq!(old["versions"]["values"][0]["status"], "stable");
    let new =
        cloud.raw("GET", "/", &[("openstack-api-version", "key-manager 1.1")], vec![]).await.is(300).body;
    let version = &new["versions"][0];
    assert_eq!((&version["min_version"], &version["max_version"]), (&json!("1.0"), &json!("1.2")));
    cloud.get(MEMBER, "/v1").await.is(200);
}

#[tokio::test]
async fn nothing_is_added_to_a_secret_that_goes_at_the_same_time() {
    let cloud = Cloud::start().await;
    for _ in 0..40 {
        let path = cloud.secret(MEMBER, text("rosebud")).await;
        let (metadata, acl, consumers) =
            (format!("{path}/metadata"), format!("{path}/acl"), format!("{path}/consumers"));
        let gone = format!("{path}?force=true");
        let consumer = json!({"service": "s", "resource_type": "t", "resource_id": "r"});
        let answers = tokio::join!(
            cloud.post(MEMBER, &metadata, json!({"key": "a", "value": "b"})),
            cloud.call(MEMBER, "PUT", &acl, json!({"read": {"project-access": true}})),
            cloud.post(MEMBER, &consumers, consumer),
            cloud.call(MEMBER, "DELETE", &gone, Value::Null),
        );
        let statuses = [answers.0.status, answers.1.status, answers.2.status];
        assert!(statuses.iter().all(|status| [200, 201, 404].contains(status)), "{statuses:?}");
        answers.3.is(204);
        for left in [metadata, acl, consumers] {
            cloud.get(MEMBER, &left).await.is(404);
        }
    }
    let db = db::Db::open_file(&cloud.dir.join("c.db")).await.unwrap();
    let mut conn = db.read().await.unwrap();
    for orphans in [
        "SELECT COUNT(*) FROM secret_metadata WHERE secret_id NOT IN (SELECT id FROM secret)",
        "SELECT COUNT(*) FROM secret_acl WHERE of_id NOT IN (SELECT id FROM secret)",
        "SELECT COUNT(*) FROM secret_consumer WHERE of_id NOT IN (SELECT id FROM secret)",
    ] {
        assert_eq!(db::sql(orphans).number(&mut conn).await.unwrap(), 0, "{orphans}");
    }
}
