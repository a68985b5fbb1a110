//! Rescue: another disk boots. The server's own disk becomes the second one, unless the image's properties `hw_rescue_device`
//! and `hw_rescue_bus` say where else the other one goes (stable rescue).

use base::Ctx;
use serde_json::{Value, json};
use web::{Response, Result};

use crate::Nova;
use crate::schema::{self, Field, Kind};
use crate::servers::create::password;
use crate::servers::{Rescue, TaskState, VmState, policy, rules};

const RESCUE: &[Field] = &[
    Field::new("adminPass", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")),
    Field::new("rescue_image_ref", Kind::Uuid),
];

pub(super) async fn rescue(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<Response> {
    let (given, image) = match &body["rescue"] {
        Value::Null => (None, None),
        _ => {
            let fields = schema::body(body, "rescue", RESCUE, ctx.microversion.minor)?;
            let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
            (text("adminPass"), text("rescue_image_ref"))
        }
    };
    let password = given.unwrap_or_else(password);
    let states = &[VmState::Active, VmState::Stopped, VmState::Error];
    let server = nova.seen(ctx, id, &policy::RESCUE).await?;
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, "rescue", states)?;
    let drive = match &image {
        Some(image) => {
            let unsupported = || rules::unsupported_rescue(image);
            let found = nova.glance.image(ctx, image).await;
            let found = found.map_err(|e| if e.is_not_found() { unsupported() } else { e })?;
            let bootable = matches!(found.disk_format.as_deref(), Some("qcow2" | "raw" | "iso"));
            if found.status != glance::Status::Active || !bootable {
                return Err(unsupported().into());
            }
            rules::rescue_drive(image, &found.properties)?
        }
        // The image that the server was made from, as it was then.
        None => {
            let properties = serde_json::from_str(&server.image_properties).unwrap_or_default();
            rules::rescue_drive(server.image_id.as_deref().unwrap_or_default(), &properties)?
        }
    };
    nova.change_spec(ctx, id, &policy::RESCUE, "rescue", |server, spec| {
        rules::check_state(server, "rescue", states)?;
        server.task_state = Some(TaskState::Rescuing);
        spec.admin_pass = Some(password.clone());
        spec.work.rescue = Some(Rescue { image_id: image.clone(), drive, ..Rescue::default() });
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"adminPass": password})))
}
