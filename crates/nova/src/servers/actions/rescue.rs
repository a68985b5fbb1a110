//! Rescue: another disk boots. The server's own disk becomes the second one, unless the image's properties `hw_rescue_device`
//! and `hw_rescue_bus` say where else the other one goes (stable rescue).

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Response, Result};

use crate::Nova;
use crate::schema::{self, Field, Kind};
use crate::servers::create::password;
use crate::servers::{Rescue, Server, TaskState, VmState, policy, rules};

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
    nova.check_volumes_in_use(ctx, &server).await?;
    let drive = match &image {
        Some(image) => {
            let unsupported = || rules::unsupported_rescue(image);
            let found = nova.glance.image(ctx, image).await;
            let found = found.map_err(|e| if e.is_not_found() { unsupported() } else { e })?;
            let bootable = matches!(found.disk_format.as_deref(), Some("qcow2" | "raw" | "iso"));
            if found.status != glance::Status::Active || !bootable {
                return Err(unsupported().into());
            }
            // A volume stays the first disk, which only images that go elsewhere allow.
            let stable = |key: &str| found.properties.contains_key(key);
            if server.image_id.is_none()
                && !(ctx.at_least(2, 87) && stable("hw_rescue_bus") && stable("hw_rescue_device"))
            {
                return Err(not_rescuable(id).into());
            }
            rules::rescue_drive(image, &found.properties)?
        }
        None if server.image_id.is_none() => return Err(not_rescuable(id).into()),
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

fn not_rescuable(id: &str) -> Error {
    Error::bad_request(format!("Instance {id} cannot be rescued: Cannot rescue a volume-backed instance"))
}

impl Nova {
    /// 409 when a volume of the server's is not in use by it as its rows say.
    async fn check_volumes_in_use(&self, ctx: &Ctx, server: &Server) -> base::Result<()> {
        let mut conn = self.db.read().await?;
        for device in crate::block_devices::store::of_server(&mut conn, &server.id).await? {
            let volume = self.cinder.volume_within(&mut conn, ctx, &device.volume_id).await?;
            if volume.status != cinder::Status::InUse {
                return Err(Error::conflict(format!(
                    "Invalid volume: volume '{}' status must be 'in-use'. Currently in '{}' status",
                    volume.id,
                    volume.status.as_str()
                )));
            }
        }
        Ok(())
    }
}
