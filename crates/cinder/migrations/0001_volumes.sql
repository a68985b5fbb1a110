-- What a guest sees of `id` is what was written into its file, over what it sees of `parent`.
-- state: wanted (a file shall be made), ready, unwanted (nobody stands on it, its file shall go).
CREATE TABLE volume_layers (
    id TEXT PRIMARY KEY,
    parent TEXT,
    format TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    image_id TEXT,
    state TEXT NOT NULL
);
CREATE INDEX volume_layers_by_parent ON volume_layers (parent);
CREATE INDEX volume_layers_by_state ON volume_layers (state);
-- pending_size: what it is being extended to. writing: the layer that machines still write into, while `head` is new.
CREATE TABLE volumes (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    size BIGINT NOT NULL,
    pending_size BIGINT,
    status TEXT NOT NULL,
    previous_status TEXT,
    migration_status TEXT,
    type_id TEXT NOT NULL,
    availability_zone TEXT NOT NULL,
    bootable BIGINT NOT NULL,
    multiattach BIGINT NOT NULL,
    readonly BIGINT,
    snapshot_id TEXT,
    source_volid TEXT,
    image_id TEXT,
    metadata TEXT NOT NULL,
    image_metadata TEXT NOT NULL,
    upload TEXT,
    head TEXT NOT NULL,
    writing TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    generation BIGINT NOT NULL
);
CREATE INDEX volumes_by_project ON volumes (project_id);
CREATE INDEX volumes_by_head ON volumes (head);
CREATE INDEX volumes_by_status ON volumes (status);
CREATE TABLE volume_snapshots (
    id TEXT PRIMARY KEY,
    volume_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    size BIGINT NOT NULL,
    status TEXT NOT NULL,
    progress TEXT NOT NULL,
    type_id TEXT NOT NULL,
    layer TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    generation BIGINT NOT NULL
);
CREATE INDEX volume_snapshots_by_project ON volume_snapshots (project_id);
CREATE INDEX volume_snapshots_by_volume ON volume_snapshots (volume_id);
CREATE INDEX volume_snapshots_by_layer ON volume_snapshots (layer);
CREATE TABLE volume_attachments (
    id TEXT PRIMARY KEY,
    volume_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    server_id TEXT,
    host TEXT,
    mountpoint TEXT,
    status TEXT NOT NULL,
    mode TEXT,
    connector TEXT,
    attached_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX volume_attachments_by_volume ON volume_attachments (volume_id);
CREATE INDEX volume_attachments_by_project ON volume_attachments (project_id);
CREATE INDEX volume_attachments_by_server ON volume_attachments (server_id);
CREATE TABLE volume_types (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    is_public BIGINT NOT NULL,
    extra_specs TEXT NOT NULL,
    encryption TEXT,
    qos_id TEXT,
    created_at BIGINT NOT NULL
);
CREATE TABLE volume_type_access (
    type_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    PRIMARY KEY (type_id, project_id)
);
CREATE TABLE volume_default_types (
    project_id TEXT PRIMARY KEY,
    type_id TEXT NOT NULL
);
CREATE TABLE volume_qos (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    consumer TEXT NOT NULL,
    specs TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE volume_quotas (
    scope TEXT NOT NULL,
    resource TEXT NOT NULL,
    hard_limit BIGINT NOT NULL,
    PRIMARY KEY (scope, resource)
);
CREATE TABLE volume_services (
    name TEXT PRIMARY KEY,
    disabled BIGINT NOT NULL,
    reason TEXT,
    updated_at BIGINT NOT NULL
);
CREATE TABLE volume_messages (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX volume_messages_by_project ON volume_messages (project_id);
CREATE TABLE volume_transfers (
    id TEXT PRIMARY KEY,
    volume_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    name TEXT,
    salt TEXT NOT NULL,
    hash TEXT NOT NULL,
    no_snapshots BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX volume_transfers_by_volume ON volume_transfers (volume_id);
-- layer: the copy. source: the layer that it is a copy of, while it is being made.
CREATE TABLE volume_backups (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    volume_id TEXT NOT NULL,
    snapshot_id TEXT,
    name TEXT,
    description TEXT,
    container TEXT,
    size BIGINT NOT NULL,
    status TEXT NOT NULL,
    fail_reason TEXT,
    bootable BIGINT NOT NULL,
    image_metadata TEXT NOT NULL,
    metadata TEXT NOT NULL,
    layer TEXT NOT NULL,
    source TEXT,
    data_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT
);
CREATE INDEX volume_backups_by_project ON volume_backups (project_id);
CREATE INDEX volume_backups_by_layer ON volume_backups (layer);
