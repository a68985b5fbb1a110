//! Who a shared image is shared with.

pub mod api;
pub(crate) mod store;

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

impl Member {
    /// One who has not decided yet.
    pub fn invited(image: &str, project: &str) -> Self {
        let now = base::time::now();
        Member {
            image_id: image.into(),
            member_id: project.into(),
            status: "pending".into(),
            created_at: now,
            updated_at: now,
        }
    }
}
