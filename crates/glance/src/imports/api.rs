//! `/v2/images/{id}/import`.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Result, Routes, State};

use super::{rules, store};
use crate::Glance;
use crate::images::{Image, load_visible, policy};
use crate::tasks::{IMPORT, Task};

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes.post("/v2/images/{id}/import", &policy::seen::MODIFY, import)
}

async fn import(
    State(glance): State<Arc<Glance>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result {
    let header = headers.get("x-image-meta-store").and_then(|v| v.to_str().ok());
    let request = rules::read(&body, header, &glance.files)?;
    let image = load_visible(&glance, &ctx, &id).await?;
    let all = body.get("all_stores") == Some(&Value::Bool(true));
    let stores = rules::check(&ctx, &image, &request, all, &glance.download)?;
    if stores.is_empty() {
        return Ok(web::no_content(202));
    }
    glance.check_room(&image, image.size).await?;
    let input = json!({"image_id": id, "import_req": body, "backend": stores});
    let task = Task::new(&ctx, IMPORT, Some(id.clone()), input);
    let begin = |image: &mut Image| {
        // Somebody may have been faster since the image was looked at.
        rules::check(&ctx, image, &request, all, &glance.download)?;
        rules::begin(image, &task.id, request.method, &stores)
    };
    store::queue(&glance.db, &ctx, &task, Some((&id, &begin))).await?;
    glance.importing.wake(&task.id);
    Ok(web::no_content(202))
}
