//! What went wrong after a call had been accepted, for the project that asked.

pub mod api;
pub mod store;

use crate::volumes::Volume;

/// Numbers and words of Cinder's own tables.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub project_id: String,
    pub resource_type: &'static str,
    pub resource_id: String,
    pub action: (&'static str, &'static str),
    pub detail: (&'static str, &'static str),
}

impl Trouble {
    fn of(
        volume: &Volume,
        action: (&'static str, &'static str),
        detail: (&'static str, &'static str),
    ) -> Self {
        Trouble {
            project_id: volume.project_id.clone(),
            resource_type: "VOLUME",
            resource_id: volume.id.clone(),
            action,
            detail,
        }
    }

    pub fn create(volume: &Volume) -> Self {
        match volume.image_id {
            Some(_) => {
                Self::of(volume, ("005", "copy image to volume"), ("001", "An unknown error occurred."))
            }
            None => Self::of(
                volume,
                ("008", "create volume from backend storage"),
                ("012", "Driver failed to create the volume."),
            ),
        }
    }

    /// No backend has what its type asks for.
    pub fn place(volume: &Volume) -> Self {
        Self::of(
            volume,
            ("001", "schedule allocate volume"),
            ("003", "Could not find any available weighted backend."),
        )
    }

    pub fn extend(volume: &Volume) -> Self {
        Self::of(volume, ("007", "extend volume"), ("010", "Volume Driver failed to extend volume."))
    }

    /// As of the volume that Cinder makes to put in its place.
    pub fn retype(volume: &Volume) -> Self {
        Self::of(
            volume,
            ("008", "create volume from backend storage"),
            ("012", "Driver failed to create the volume."),
        )
    }

    pub fn upload(volume: &Volume) -> Self {
        Self::of(
            volume,
            ("003", "copy volume to image"),
            ("004", "Failed to upload volume to image at backend."),
        )
    }

    pub fn backup(id: &str, project: &str) -> Self {
        Trouble {
            project_id: project.into(),
            resource_type: "VOLUME_BACKUP",
            resource_id: id.into(),
            action: ("013", "create backup"),
            detail: ("020", "Backup driver failed to create backup."),
        }
    }

    pub fn snapshot(id: &str, project: &str) -> Self {
        Trouble {
            project_id: project.into(),
            resource_type: "VOLUME_SNAPSHOT",
            resource_id: id.into(),
            action: ("009", "create snapshot"),
            detail: ("013", "Snapshot failed to create."),
        }
    }
}
