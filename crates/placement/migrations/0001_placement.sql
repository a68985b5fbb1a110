CREATE TABLE resource_providers (
    uuid TEXT PRIMARY KEY,
    shard BIGINT NOT NULL DEFAULT 0,
    name TEXT NOT NULL UNIQUE,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE inventories (
    provider TEXT NOT NULL REFERENCES resource_providers (uuid) ON DELETE CASCADE,
    resource_class TEXT NOT NULL,
    total BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    min_unit BIGINT NOT NULL,
    max_unit BIGINT NOT NULL,
    step_size BIGINT NOT NULL,
    allocation_ratio DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (provider, resource_class)
);

CREATE TABLE allocations (
    consumer TEXT NOT NULL,
    provider TEXT NOT NULL REFERENCES resource_providers (uuid),
    resource_class TEXT NOT NULL,
    used BIGINT NOT NULL,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (consumer, provider, resource_class)
);
CREATE INDEX allocations_provider ON allocations (provider, resource_class);
