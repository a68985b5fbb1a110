//! Volume types: what a volume is besides its size. There is one backend, so a type decides about nothing but what Cinder
//! itself looks at: `multiattach`, encryption, quotas by type, QoS specs, and who may use it.

pub mod api;
pub mod encryption_api;
pub mod store;
pub mod view;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use base::{Ctx, Error, Result};
use db::AnyConnection;
use serde_json::Value;

use crate::listing::Listed;
use crate::words;

/// Of volumes whose maker named none.
pub const DEFAULT_TYPE: &str = "__DEFAULT__";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeType {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub is_public: bool,
    pub extra_specs: BTreeMap<String, String>,
    /// JSON text: how volumes of this type are to be encrypted.
    pub encryption: Option<String>,
    pub qos_id: Option<String>,
    pub created_at: i64,
}

impl VolumeType {
    pub fn is_multiattach(&self) -> bool {
        self.extra_specs.get("multiattach").is_some_and(|value| value == "<is> True")
    }

    /// None: volumes of this type are not encrypted.
    pub fn encryption_specs(&self) -> Option<Encryption> {
        let specs: Value = serde_json::from_str(self.encryption.as_deref()?).ok()?;
        let text = |key: &str| specs[key].as_str().map(str::to_owned);
        Some(Encryption {
            provider: text("provider"),
            control_location: text("control_location"),
            cipher: text("cipher"),
            key_size: specs["key_size"].as_i64(),
        })
    }
}

/// Providers and places are kept and shown: whichever are named, QEMU's own LUKS encrypts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    pub provider: Option<String>,
    pub control_location: Option<String>,
    /// As in dm-crypt.
    pub cipher: Option<String>,
    /// Bits.
    pub key_size: Option<i64>,
}

impl Encryption {
    /// Algorithm and bits of a key.
    pub fn key(&self) -> Result<(&str, i64)> {
        let algorithm = self.cipher.as_deref().and_then(|cipher| cipher.split('-').next());
        let algorithm = algorithm.filter(|name| !name.is_empty());
        let algorithm = algorithm.ok_or_else(|| Error::bad_request("Invalid encryption spec"))?;
        Ok((algorithm, self.key_size.ok_or_else(|| Error::bad_request("Key manager error"))?))
    }

    /// As [`host::Cipher`] prints it.
    pub fn cipher(&self) -> Result<String> {
        let (_, bits) = self.key()?;
        let bits = u32::try_from(bits).unwrap_or_default();
        let cipher = self.cipher.as_deref().and_then(|spec| host::Cipher::parse(spec, bits));
        Ok(cipher.ok_or_else(|| Error::bad_request("Invalid encryption spec"))?.to_string())
    }
}

impl Listed for VolumeType {
    const KEYS: &'static [&'static str] =
        &["id", "name", "is_public", "description", "created_at", "updated_at"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" => self.name.cmp(&other.name),
            "is_public" => self.is_public.cmp(&other.is_public),
            "description" => self.description.cmp(&other.description),
            "created_at" | "updated_at" => self.created_at.cmp(&other.created_at),
            _ => Ordering::Equal,
        }
    }
}

/// Names by id.
pub struct TypeNames(pub(crate) HashMap<String, String>);

impl TypeNames {
    pub fn name(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}

/// One that `ctx` may use, by id.
pub async fn load(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<VolumeType> {
    let found = store::get(conn, id).await?;
    visible(conn, ctx, found).await?.ok_or_else(|| words::no_type(id))
}

/// One that `ctx` may use, by id or name.
pub async fn find(conn: &mut AnyConnection, ctx: &Ctx, wanted: &str) -> Result<VolumeType> {
    let mut found = store::get(conn, wanted).await?;
    if found.is_none() {
        found = store::by_name(conn, wanted).await?;
    }
    visible(conn, ctx, found).await?.ok_or_else(|| match base::id::is_uuid(wanted) {
        true => words::no_type(wanted),
        false => Error::not_found(format!("Volume type with name {wanted} could not be found.")),
    })
}

async fn visible(
    conn: &mut AnyConnection,
    ctx: &Ctx,
    found: Option<VolumeType>,
) -> Result<Option<VolumeType>> {
    match (found, ctx.project()) {
        (Some(one), _) if one.is_public || ctx.is_admin() => Ok(Some(one)),
        (Some(one), Some(project)) if store::has_access(conn, &one.id, &project.id).await? => Ok(Some(one)),
        _ => Ok(None),
    }
}

/// The type of volumes of this project whose maker names none.
pub async fn default_of(conn: &mut AnyConnection, project: &str) -> Result<VolumeType> {
    if let Some(id) = store::project_default(conn, project).await?
        && let Some(found) = store::get(conn, &id).await?
    {
        return Ok(found);
    }
    store::by_name(conn, DEFAULT_TYPE)
        .await?
        .ok_or_else(|| Error::internal(format!("the default volume type {DEFAULT_TYPE} cannot be found")))
}
