CREATE TABLE trunk (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    admin_state_up BIGINT NOT NULL,
    -- DOWN, BUILD, ACTIVE, DEGRADED, ERROR
    status TEXT NOT NULL,
    -- The parent: what the machine is plugged into.
    port_id TEXT NOT NULL UNIQUE REFERENCES port (id)
);
CREATE INDEX trunk_project ON trunk (project_id);

CREATE TABLE trunk_subport (
    port_id TEXT PRIMARY KEY REFERENCES port (id),
    trunk_id TEXT NOT NULL REFERENCES trunk (id) ON DELETE CASCADE,
    -- vlan
    segmentation_type TEXT NOT NULL,
    segmentation_id BIGINT NOT NULL,
    UNIQUE (trunk_id, segmentation_type, segmentation_id)
);
