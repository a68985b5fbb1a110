//! `/v2.1/extensions`

use base::Error;
use serde_json::{Value, json};
use web::{Caller, Path, Response, Result};

use super::ALL;

fn view((alias, name): &(&str, &str)) -> Value {
    json!({
        "alias": alias,
        "name": name,
        "description": format!("{name} is part of the API."),
        "links": [],
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": "2014-12-03T00:00:00Z",
    })
}

pub async fn list(Caller(_): Caller) -> Result<Response> {
    let views: Vec<Value> = ALL.iter().map(view).collect();
    Ok(web::json(200, &json!({"extensions": views})))
}

pub async fn show(Caller(_): Caller, Path(alias): Path<String>) -> Result<Response> {
    let found = ALL.iter().find(|(known, _)| *known == alias);
    let found = found.ok_or_else(|| Error::not_found("The resource could not be found."))?;
    Ok(web::json(200, &json!({"extension": view(found)})))
}
