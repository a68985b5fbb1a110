CREATE TABLE address_group (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    -- CIDRs.
    addresses TEXT NOT NULL,
    shared BIGINT NOT NULL
);
CREATE INDEX address_group_project ON address_group (project_id);
