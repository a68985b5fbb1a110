CREATE TABLE metering_label (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    shared BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE metering_label_rule (
    id TEXT PRIMARY KEY,
    metering_label_id TEXT NOT NULL REFERENCES metering_label (id) ON DELETE CASCADE,
    direction TEXT NOT NULL,
    excluded BIGINT NOT NULL,
    remote_ip_prefix TEXT NOT NULL,
    source_ip_prefix TEXT NOT NULL,
    destination_ip_prefix TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE network_flavor (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    service_type TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE service_profile (
    id TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    driver TEXT NOT NULL,
    metainfo TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE flavor_profile (
    flavor_id TEXT NOT NULL REFERENCES network_flavor (id) ON DELETE CASCADE,
    service_profile_id TEXT NOT NULL REFERENCES service_profile (id),
    PRIMARY KEY (flavor_id, service_profile_id)
);
