//! Glance's images in Nova's words.

use serde_json::{Value, json};
use web::Origin;

use super::properties;
use crate::links::Links;

fn links(origin: &Origin, id: &str) -> Value {
    let mut all = Links::new(origin).of("images", id);
    if let Some(list) = all.as_array_mut() {
        list.push(json!({
            "rel": "alternate",
            "type": "application/vnd.openstack.image",
            "href": format!("{}/image/images/{id}", origin.0),
        }));
    }
    all
}

pub(super) fn brief(origin: &Origin, image: &Value) -> Value {
    let id = image["id"].as_str().unwrap_or_default();
    json!({"id": id, "name": image["name"], "links": links(origin, id)})
}

pub(super) fn status(image: &Value) -> (&'static str, u8) {
    match image["status"].as_str().unwrap_or_default() {
        "active" => ("ACTIVE", 100),
        "queued" => ("SAVING", 25),
        "saving" => ("SAVING", 50),
        "deleted" | "pending_delete" => ("DELETED", 0),
        "killed" => ("ERROR", 0),
        _ => ("UNKNOWN", 0),
    }
}

pub(super) fn full(origin: &Origin, image: &Value) -> Value {
    let mut out = brief(origin, image);
    let metadata = properties(image);
    let (status, progress) = status(image);
    out["status"] = json!(status);
    out["progress"] = json!(progress);
    out["minRam"] = image["min_ram"].clone();
    out["minDisk"] = image["min_disk"].clone();
    out["created"] = image["created_at"].clone();
    out["updated"] = image["updated_at"].clone();
    out["OS-EXT-IMG-SIZE:size"] = image["size"].clone();
    if let Some(server) = metadata.get("instance_uuid") {
        out["server"] = json!({"id": server, "links": Links::new(origin).of("servers", server)});
    }
    if let Some(auto) = metadata.get("auto_disk_config") {
        let auto = matches!(&*auto.to_ascii_lowercase(), "1" | "t" | "true" | "on" | "y" | "yes");
        out["OS-DCF:diskConfig"] = json!(if auto { "AUTO" } else { "MANUAL" });
    }
    out["metadata"] = json!(metadata);
    out
}
