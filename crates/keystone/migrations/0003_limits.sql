-- region_id is empty where a limit is for no region, so that UNIQUE works: NULLs would all be distinct.
CREATE TABLE identity_registered_limit (
    id TEXT PRIMARY KEY,
    service_id TEXT NOT NULL,
    region_id TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    default_limit BIGINT NOT NULL,
    description TEXT,
    UNIQUE (service_id, region_id, resource_name)
);

-- owner_kind: project, domain.
CREATE TABLE identity_limit (
    id TEXT PRIMARY KEY,
    registered_limit_id TEXT NOT NULL,
    owner_kind TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    resource_limit BIGINT NOT NULL,
    description TEXT,
    UNIQUE (registered_limit_id, owner_kind, owner_id)
);
CREATE INDEX identity_limit_owner ON identity_limit (owner_id);
