//! Tasks: imports, as a record of what was asked and what came of it.
//!
//! ```text
//! pending ──► processing ──► success
//!                   └──────► failure        both are forgotten after two days
//! ```

pub mod api;
pub mod store;
pub mod view;

use base::Ctx;
use serde_json::Value;

use crate::images::Image;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Processing,
    Success,
    Failure,
}

impl Status {
    const ALL: [Status; 4] = [Status::Pending, Status::Processing, Status::Success, Status::Failure];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Processing => "processing",
            Status::Success => "success",
            Status::Failure => "failure",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    pub fn is_over(self) -> bool {
        matches!(self, Status::Success | Status::Failure)
    }
}

/// `api_image_import` is an import of an image that exists; `import` makes the image as well (the older tasks API).
pub const IMPORT: &str = "api_image_import";
pub const LEGACY: &str = "import";
/// How a Glance calls it that hashes data after the image is active.
const HASHING: &str = "location_import";

#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub id: String,
    pub kind: String,
    pub status: Status,
    pub owner: String,
    pub image_id: Option<String>,
    pub user_id: String,
    pub request_id: String,
    pub input: Value,
    pub result: Option<Value>,
    pub message: String,
    pub expires_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Task {
    /// It has no row: the image's row says what is to do.
    fn hashing(image: &Image) -> Task {
        let owner = image.owner.clone().unwrap_or_default();
        Task {
            id: image.id.clone(),
            kind: HASHING.into(),
            status: Status::Processing,
            owner: owner.clone(),
            image_id: Some(image.id.clone()),
            user_id: String::new(),
            request_id: String::new(),
            input: Value::Null,
            result: None,
            message: String::new(),
            expires_at: None,
            created_at: image.updated_at,
            updated_at: image.updated_at,
        }
    }

    pub fn new(ctx: &Ctx, kind: &str, image_id: Option<String>, input: Value) -> Task {
        let now = base::time::now();
        Task {
            id: base::id::uuid(),
            kind: kind.into(),
            status: Status::Pending,
            owner: ctx.project().map(|p| p.id.clone()).unwrap_or_default(),
            image_id,
            user_id: ctx.user_id().to_owned(),
            request_id: ctx.request_id.to_string(),
            input,
            result: None,
            message: String::new(),
            expires_at: None,
            created_at: now,
            updated_at: now,
        }
    }
}
