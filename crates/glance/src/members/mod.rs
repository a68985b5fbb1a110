//! Who a shared image is shared with.

pub mod api;
mod store;

/// One membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub image_id: String,
    /// Project id.
    pub member_id: String,
    /// pending, accepted or rejected: the member decides.
    pub status: String,
    pub created_at: i64,
    pub updated_at: i64,
}
