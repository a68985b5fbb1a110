use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test]
async fn an_image_lives() {
    let cloud = Cloud::start().await;
    let made =
        cloud.ask("member@p1", "POST", "/v2/images", Some(json!({"name": "a", "x": "1"}))).await.is(201);
    assert_eq!(made.headers["openstack-image-import-methods"], "glance-direct,web-download,copy-image");
    assert_eq!(made.headers["openstack-image-store-ids"], "file,second");
    let path = format!("/v2/images/{}", made.id());
    assert_eq!(made.headers["location"], path.as_str());
    let shown = cloud.get("reader@p1", &path).await.is(200).body;
    assert_eq!(shown, made.body);
    assert_eq!(
        (&shown["status"], &shown["visibility"], &shown["x"]),
        (&json!("queued"), &json!("shared"), &json!("1"))
    );
    assert!(shown.get("stores").is_none());
    let patch = json!([{"op": "replace", "path": "/name", "value": "b"}, {"op": "remove", "path": "/x"}]);
    let changed = cloud.ask("member@p1", "PATCH", &path, Some(patch)).await.is(200).body;
    assert_eq!((&changed["name"], changed.get("x")), (&json!("b"), None));
    cloud.ask("member@p1", "PUT", &format!("{path}/tags/t"), None).await.is(204);
    assert_eq!(cloud.get("member@p1", &path).await.body["tags"], json!(["t"]));
    cloud.ask("member@p1", "DELETE", &format!("{path}/tags/t"), None).await.is(204);
    cloud.ask("member@p1", "DELETE", &format!("{path}/tags/t"), None).await.is(404);
    let plain = http::Request::builder().method("PATCH").uri(&path).header("x-auth-token", "member@p1");
    cloud.send(plain.header("content-type", "application/json").body("[]".into()).unwrap()).await.is(415);
    let twice = json!({"id": made.id()});
    cloud.ask("member@p1", "POST", "/v2/images", Some(twice)).await.is(409);
    let protect = json!([{"op": "replace", "path": "/protected", "value": true}]);
    cloud.ask("member@p1", "PATCH", &path, Some(protect)).await.is(200);
    cloud.ask("member@p1", "DELETE", &path, None).await.is(403);
    let free = json!([{"op": "replace", "path": "/protected", "value": false}]);
    cloud.ask("member@p1", "PATCH", &path, Some(free)).await.is(200);
    cloud.ask("member@p1", "DELETE", &path, None).await.is(204);
    cloud.get("member@p1", &path).await.is(404);
    cloud.ask("member@p1", "DELETE", &path, None).await.is(404);
}

#[tokio::test]
async fn who_may_do_what() {
    let cloud = Cloud::start().await;
    let patch = || Some(json!([{"op": "replace", "path": "/name", "value": "b"}]));
    // (visibility, a stranger sees it)
    for (visibility, seen) in [("private", false), ("shared", false), ("community", true), ("public", true)] {
        let path = cloud.active("admin@p1", json!({"visibility": visibility})).await;
        let strangers = if seen { 403 } else { 404 };
        for (who, changes) in [
            ("member@p1", 200),
            ("reader@p1", 403),
            ("member@p2", strangers),
            ("reader@p2", strangers),
            ("admin@p2", 200),
        ] {
            let answer = cloud.ask(who, "PATCH", &path, patch()).await;
            assert_eq!(answer.status, changes, "{who} changes a {visibility} image");
        }
        for (who, downloads) in [
            ("member@p1", 200),
            ("reader@p1", 403),
            ("member@p2", if seen { 200 } else { 404 }),
            ("reader@p2", strangers),
            ("admin@p2", 200),
        ] {
            let answer = cloud.get(who, &format!("{path}/file")).await;
            assert_eq!(answer.status, downloads, "{who} downloads a {visibility} image");
        }
        for who in ["reader@p1", "member@p2"] {
            let expected = if who == "reader@p1" { 403 } else { strangers };
            for action in ["deactivate", "reactivate"] {
                cloud.ask(who, "POST", &format!("{path}/actions/{action}"), None).await.is(expected);
            }
            cloud.ask(who, "DELETE", &path, None).await.is(expected);
            cloud.put_data(who, &format!("{path}/file"), "x").await.is(expected);
            cloud.put_data(who, &format!("{path}/stage"), "x").await.is(expected);
        }
    }
    for (who, visibility, status) in [
        ("member@p1", "public", 403),
        ("member@p1", "community", 201),
        ("admin@p1", "public", 201),
        ("reader@p1", "private", 403),
    ] {
        cloud.ask(who, "POST", "/v2/images", Some(json!({"visibility": visibility}))).await.is(status);
    }
}

#[tokio::test]
async fn lists() {
    let cloud = Cloud::start().await;
    let mut own = Vec::new();
    for n in 0..5 {
        let path = cloud
            .image("member@p1", json!({"name": format!("n{n}"), "min_ram": n, "tags": [format!("t{n}")]}))
            .await;
        own.push(path.rsplit('/').next().unwrap().to_owned());
    }
    own.reverse();
    let public = cloud.image("admin@p2", json!({"visibility": "public", "name": "public"})).await;
    let community = cloud.image("member@p2", json!({"visibility": "community", "name": "community"})).await;
    cloud.image("member@p2", json!({"visibility": "private", "name": "private"})).await;
    cloud.image("member@p1", json!({"os_hidden": true, "name": "hidden"})).await;
    let all = cloud.get("reader@p1", "/v2/images").await.is(200);
    assert_eq!(all.ids()[1..], own);
    assert!(public.ends_with(all.ids()[0]));
    assert_eq!(all.body["first"], "/v2/images");
    assert!(all.body.get("next").is_none());
    let page = cloud.get("reader@p1", "/v2/images?limit=2").await.is(200);
    assert_eq!((page.ids().len(), &page.body["first"]), (2, &json!("/v2/images?limit=2")));
    let next = page.body["next"].as_str().unwrap().to_owned();
    assert_eq!(cloud.get("reader@p1", &next).await.is(200).ids(), own[1..3]);
    for (query, names) in [
        ("name=n1", vec!["n1"]),
        ("name=in:n1,n3&sort=name:asc", vec!["n1", "n3"]),
        ("tag=t2", vec!["n2"]),
        ("tag=t2&tag=t3", vec![]),
        ("owner=p1&sort_key=name&sort_dir=asc&limit=2", vec!["n0", "n1"]),
        ("min_ram=4", vec!["n4"]),
        ("visibility=public", vec!["public"]),
        ("visibility=community", vec!["community"]),
        ("os_hidden=true", vec!["hidden"]),
        ("status=active", vec![]),
        ("created_at=gt:2100-01-01T00:00:00Z", vec![]),
        ("name=public&protected=false", vec!["public"]),
    ] {
        let found = cloud.get("reader@p1", &format!("/v2/images?{query}")).await.is(200);
        let found: Vec<&str> =
            found.body["images"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{query}");
    }
    let everyone = cloud.get("reader@p1", "/v2/images?visibility=all").await.is(200);
    assert!(everyone.ids().iter().any(|id| community.ends_with(id)));
    assert_eq!(cloud.get("admin", "/v2/images").await.is(200).ids().len(), 8);
    for bad in [
        "limit=-1",
        "limit=x",
        "marker=6fa459ea-ee8a-4ca4-894e-db77e160355e",
        "sort_key=owner",
        "sort=name:up",
        "sort=name&sort_key=name",
        "sort_key=name&sort_dir=asc&sort_dir=desc",
        "visibility=some",
        "os_hidden=maybe",
        "protected=yes",
        "size_min=x",
        "member_status=gone",
        "created_at=yesterday",
        "changes-since=2026-01-01T00:00:00Z",
    ] {
        cloud.get("reader@p1", &format!("/v2/images?{bad}")).await.is(400);
    }
}

#[tokio::test]
async fn a_token_of_the_system_has_no_images() {
    let cloud = Cloud::start().await;
    let path = cloud.image("member@p1", json!({"visibility": "community"})).await;
    let system = "admin@system";
    for (method, below, body, status) in [
        ("GET", "/v2/images", None, 403),
        ("POST", "/v2/images", Some(json!({"name": "x"})), 403),
        ("GET", "/v2/tasks", None, 403),
        ("GET", path.as_str(), None, 404),
        ("DELETE", path.as_str(), None, 404),
        ("POST", &format!("{path}/actions/deactivate"), None, 404),
        ("GET", &format!("{path}/file"), None, 404),
        ("GET", &format!("{path}/members"), None, 404),
        ("POST", &format!("{path}/members"), Some(json!({"member": "p2"})), 404),
    ] {
        let answer = cloud.ask(system, method, below, body).await;
        assert_eq!(answer.status, status, "{method} {below}");
    }
    cloud.get("member@p2", &path).await.is(200);
}
