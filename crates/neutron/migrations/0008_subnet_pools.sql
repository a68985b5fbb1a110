CREATE TABLE address_scope (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    ip_version BIGINT NOT NULL,
    shared BIGINT NOT NULL
);
CREATE INDEX address_scope_project ON address_scope (project_id);

CREATE TABLE subnet_pool (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    ip_version BIGINT NOT NULL,
    prefixes TEXT NOT NULL,
    default_prefixlen BIGINT NOT NULL,
    min_prefixlen BIGINT NOT NULL,
    max_prefixlen BIGINT NOT NULL,
    -- How much a project may take: /32s of IPv4, /64s of IPv6. NULL: no limit.
    default_quota BIGINT,
    address_scope_id TEXT NOT NULL,
    is_default BIGINT NOT NULL,
    shared BIGINT NOT NULL
);
CREATE INDEX subnet_pool_project ON subnet_pool (project_id);
CREATE INDEX subnet_pool_scope ON subnet_pool (address_scope_id);
CREATE UNIQUE INDEX subnet_pool_default ON subnet_pool (ip_version) WHERE is_default = 1;
