CREATE TABLE hosts (
    name TEXT PRIMARY KEY,
    hypervisor_id TEXT NOT NULL,
    service_id TEXT NOT NULL,
    disabled BIGINT NOT NULL,
    disabled_reason TEXT,
    forced_down BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE TABLE aggregates (
    number BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    metadata TEXT NOT NULL,
    hosts TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT
);
