-- filters: JSON object with service_id, region_id, interface.
CREATE TABLE identity_endpoint_group (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT,
    filters TEXT NOT NULL
);

CREATE TABLE identity_project_endpoint_group (
    endpoint_group_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    PRIMARY KEY (endpoint_group_id, project_id)
);

CREATE TABLE identity_project_endpoint (
    endpoint_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, project_id)
);

CREATE TABLE identity_policy (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    blob TEXT NOT NULL,
    extra TEXT NOT NULL
);

-- An endpoint alone, a service alone, or a service in a region; what is not meant is empty.
CREATE TABLE identity_policy_association (
    endpoint_id TEXT NOT NULL,
    service_id TEXT NOT NULL,
    region_id TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, service_id, region_id)
);

-- value: JSON. Options that are secrets are kept apart by `sensitive` and never shown.
CREATE TABLE identity_domain_option (
    domain_id TEXT NOT NULL,
    group_name TEXT NOT NULL,
    option_name TEXT NOT NULL,
    sensitive BIGINT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (domain_id, group_name, option_name)
);
