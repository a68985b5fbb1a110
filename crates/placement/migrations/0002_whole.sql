ALTER TABLE resource_providers ADD COLUMN parent TEXT;
ALTER TABLE resource_providers ADD COLUMN root TEXT NOT NULL DEFAULT '';
UPDATE resource_providers SET root = uuid;
CREATE INDEX resource_providers_root ON resource_providers (root);
ALTER TABLE inventories ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;

CREATE TABLE resource_classes (
    name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE traits (
    name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE provider_traits (
    provider TEXT NOT NULL REFERENCES resource_providers (uuid) ON DELETE CASCADE,
    trait TEXT NOT NULL,
    PRIMARY KEY (provider, trait)
);
CREATE INDEX provider_traits_trait ON provider_traits (trait);

CREATE TABLE provider_aggregates (
    provider TEXT NOT NULL REFERENCES resource_providers (uuid) ON DELETE CASCADE,
    aggregate TEXT NOT NULL,
    PRIMARY KEY (provider, aggregate)
);

CREATE TABLE consumers (
    uuid TEXT PRIMARY KEY,
    generation BIGINT NOT NULL,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    consumer_type TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX consumers_project ON consumers (project_id);
INSERT INTO consumers (uuid, generation, project_id, user_id, consumer_type, created_at, updated_at)
SELECT consumer, 1, MIN(project_id), MIN(user_id), 'INSTANCE', MIN(created_at), MIN(created_at)
FROM allocations GROUP BY consumer;
ALTER TABLE allocations DROP COLUMN project_id;
ALTER TABLE allocations DROP COLUMN user_id;
