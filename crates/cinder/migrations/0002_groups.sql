-- flat: the layer that all layers of a volume for several machines are being copied into.
ALTER TABLE volumes ADD COLUMN flat TEXT;
ALTER TABLE volumes ADD COLUMN group_id TEXT;
CREATE INDEX volumes_by_group ON volumes (group_id);
ALTER TABLE volume_snapshots ADD COLUMN group_snapshot_id TEXT;
CREATE INDEX volume_snapshots_by_group_snapshot ON volume_snapshots (group_snapshot_id);
-- volume_metadata: the volume's own, which a restored volume gets. parent: the backup that it is told to stand on.
ALTER TABLE volume_backups ADD COLUMN volume_metadata TEXT NOT NULL DEFAULT '{}';
ALTER TABLE volume_backups ADD COLUMN parent TEXT;
ALTER TABLE volume_services ADD COLUMN frozen BIGINT NOT NULL DEFAULT 0;
CREATE TABLE volume_group_types (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    is_public BIGINT NOT NULL,
    specs TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE volume_groups (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    status TEXT NOT NULL,
    availability_zone TEXT NOT NULL,
    group_type TEXT NOT NULL,
    volume_types TEXT NOT NULL,
    group_snapshot_id TEXT,
    source_group_id TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX volume_groups_by_project ON volume_groups (project_id);
CREATE TABLE volume_group_snapshots (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    group_type TEXT NOT NULL,
    name TEXT,
    description TEXT,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX volume_group_snapshots_by_project ON volume_group_snapshots (project_id);
CREATE INDEX volume_group_snapshots_by_group ON volume_group_snapshots (group_id);
