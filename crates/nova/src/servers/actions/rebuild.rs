//! Rebuild: the same server from an image, its old disk thrown away.

use std::collections::BTreeMap;

use base::{Ctx, Error};
use glance::Image;
use http::HeaderValue;
use http::header::LOCATION;
use serde_json::{Map, Value, json};
use web::{Origin, Response, Result};

use super::accept;
use crate::keypairs::Keypair;
use crate::links::Links;
use crate::schema::{self, Field, Kind, PRINTABLE};
use crate::servers::create::parse::{canonical, files, metadata};
use crate::servers::create::resolve::{check_fit, check_items, check_plain, image};
use crate::servers::create::{parse, password};
use crate::servers::view::Shape;
use crate::servers::{Server, Spec, TaskState, VmState, policy, rules, store};
use crate::{Nova, quotas};

const KEY: Kind = Kind::OneOf(&[Kind::Text(1, 255, schema::ANY_CHAR, ""), Kind::Null]);
const REBUILD: &[Field] = &[
    Field::new("name", Kind::Name),
    Field::new("imageRef", Kind::Uuid).required(),
    Field::new("adminPass", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")),
    Field::new("metadata", Kind::Metadata { null: false, numbers: false }),
    Field::new("preserve_ephemeral", Kind::Bool),
    Field::new("OS-DCF:diskConfig", Kind::Enum(&["AUTO", "MANUAL"])),
    Field::new("accessIPv4", Kind::Ipv4),
    Field::new("accessIPv6", Kind::Ipv6),
    Field::new("personality", Kind::List(&Kind::Object(parse::FILE), 0, usize::MAX)).until(56),
    Field::new("description", Kind::TextOrNull(0, 255, PRINTABLE, "")).from(19),
    Field::new("key_name", KEY).from(54),
    Field::new("user_data", Kind::OneOf(&[Kind::Base64(65535), Kind::Null])).from(57),
    Field::new("trusted_image_certificates", parse::CERTIFICATES).from(63),
    Field::new("hostname", Kind::Label).from(90).until(93),
    Field::new("hostname", parse::FQDN).from(94),
];

const STATES: &[VmState] = &[VmState::Active, VmState::Stopped, VmState::Error];

/// What is to be different afterwards.
struct Changes<'a> {
    /// A volume that the server boots from gets the image, too.
    reimage: bool,
    fields: &'a Map<String, Value>,
    image: String,
    image_properties: String,
    password: String,
    /// `Some(None)`: no key any more.
    key: Option<Option<Keypair>>,
    files: Vec<(String, String)>,
    metadata: Option<BTreeMap<String, String>>,
}

pub(super) async fn rebuild(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    body: &Value,
    origin: &Origin,
) -> Result<Response> {
    let fields = schema::body(body, "rebuild", REBUILD, ctx.microversion.minor)?;
    let server = nova.seen(ctx, id, &policy::REBUILD).await?;
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, "rebuild", STATES)?;
    let changes = resolve(nova, ctx, &server, fields).await?;
    let server = db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::REBUILD, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        rules::check_state(&server, "rebuild", STATES)?;
        let mut spec = store::spec(tx, id).await?;
        changes.apply(&mut server, &mut spec);
        server.task_state = Some(TaskState::Rebuilding);
        accept(tx, ctx, &mut server, Some(&spec), "rebuild").await?;
        Ok::<_, Error>((store::find(tx, ctx, id).await?, spec))
    });
    let (server, spec) = server?;
    nova.waker.wake(id);
    let links = Links::new(origin);
    let mut shown = nova.one(ctx, &links, &server, Shape::Rebuild).await?;
    shown["adminPass"] = json!(changes.password);
    if ctx.at_least(2, 54) {
        shown["key_name"] = json!(server.key_name);
    }
    // Shown by its own name since 2.57, and by that alone.
    if let Some(shown) = shown.as_object_mut() {
        shown.remove("OS-EXT-SRV-ATTR:user_data");
    }
    if ctx.at_least(2, 57) {
        shown["user_data"] = json!(spec.user_data);
    }
    let mut response = web::json(202, &json!({"server": shown}));
    if let Ok(location) = HeaderValue::from_str(&links.to("servers", id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn resolve<'a>(
    nova: &Nova,
    ctx: &Ctx,
    server: &Server,
    fields: &'a Map<String, Value>,
) -> base::Result<Changes<'a>> {
    let key = match fields.get("key_name") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(name) => {
            let name = name.as_str().unwrap_or_default();
            let found = crate::keypairs::store::get(&mut nova.db.read().await?, ctx.user_id(), name).await?;
            Some(Some(found.ok_or_else(|| Error::bad_request("Invalid key_name provided."))?))
        }
    };
    let id = fields["imageRef"].as_str().unwrap_or_default();
    let image = image(nova, ctx, id).await.map_err(|e| match e.message.as_str() {
        "Can not find requested image" => Error::bad_request("Cannot find image for rebuild"),
        _ => e,
    })?;
    check_plain(&image)?;
    match &server.image_id {
        Some(_) => check_fit(ctx, &server.flavor, &image)?,
        None => check_volume(nova, ctx, server, &image, fields).await?,
    }
    let (files, metadata) = (files(fields.get("personality")), fields.get("metadata"));
    let metadata = metadata.map(metadata_of);
    let limits = quotas::limits(&mut *nova.db.read().await?, Some(&server.project_id)).await?;
    check_items(&limits, metadata.as_ref().map_or(0, BTreeMap::len), &files)?;
    Ok(Changes {
        reimage: ctx.at_least(2, 93),
        fields,
        image_properties: json!(image.properties).to_string(),
        image: image.id,
        password: fields.get("adminPass").and_then(Value::as_str).map_or_else(password, str::to_owned),
        key,
        files,
        metadata,
    })
}

/// Until 2.92 a volume keeps what is on it: only what its server is told can be another one.
async fn check_volume(
    nova: &Nova,
    ctx: &Ctx,
    server: &Server,
    image: &Image,
    fields: &Map<String, Value>,
) -> base::Result<()> {
    if fields.get("trusted_image_certificates").is_some_and(|list| !list.is_null()) {
        return Err(Error::bad_request(
            "Image certificate validation is not supported for volume-backed servers.",
        ));
    }
    if server.flavor.memory_mib < image.min_ram {
        return Err(Error::bad_request("Flavor's memory is too small for requested image."));
    }
    let mut conn = nova.db.read().await?;
    let devices = crate::block_devices::store::of_server(&mut conn, &server.id).await?;
    let root = devices.iter().find(|device| device.is_root());
    let root = root.ok_or_else(|| Error::conflict("The server has no disk to boot from."))?;
    let volume = nova.cinder.volume_within(&mut conn, ctx, &root.volume_id).await?;
    if ctx.at_least(2, 93) {
        return nova.cinder.check_image(&mut conn, &volume, image).await;
    }
    if volume.image_metadata.get("image_id") == Some(&image.id) {
        return Ok(());
    }
    Err(Error::bad_request(format!(
        "Image {} is unacceptable: Unable to rebuild with a different image for a volume-backed server.",
        image.id
    )))
}

fn metadata_of(given: &Value) -> BTreeMap<String, String> {
    metadata(Some(given))
}

impl Changes<'_> {
    fn apply(&self, server: &mut Server, spec: &mut Spec) {
        let text = |key: &str| self.fields.get(key).and_then(Value::as_str).map(str::to_owned);
        if server.image_id.is_some() {
            server.image_id = Some(self.image.clone());
            // Where its data is, the reconciler finds out.
            spec.image_file = None;
            spec.image_format = None;
        } else if self.reimage {
            spec.work.reimage = Some(self.image.clone());
        }
        server.image_properties.clone_from(&self.image_properties);
        spec.admin_pass = Some(self.password.clone());
        if let Some(name) = text("name") {
            server.name = name;
        }
        if self.fields.contains_key("description") {
            server.description = text("description");
        }
        if let Some(hostname) = text("hostname") {
            server.hostname = hostname;
        }
        if self.fields.contains_key("accessIPv4") {
            server.access_ipv4 = text("accessIPv4").and_then(|t| canonical(&t));
        }
        if self.fields.contains_key("accessIPv6") {
            server.access_ipv6 = text("accessIPv6").and_then(|t| canonical(&t));
        }
        if let Some(given) = self.fields.get("trusted_image_certificates") {
            server.trusted_certificates = parse::certificates(Some(given));
        }
        if let Some(config) = text("OS-DCF:diskConfig") {
            server.disk_config = config;
        }
        if let Some(metadata) = &self.metadata {
            server.metadata.clone_from(metadata);
        }
        if let Some(key) = &self.key {
            server.key_name = key.as_ref().map(|k| k.name.clone());
            spec.key_type = key.as_ref().map(|k| k.kind.clone());
            spec.public_key = key.as_ref().map(|k| k.public_key.clone());
        }
        if self.fields.contains_key("user_data") {
            spec.user_data = text("user_data");
        }
        if self.fields.contains_key("personality") {
            spec.files.clone_from(&self.files);
        }
    }
}
