-- One key a project, itself encrypted under the cloud's key file.
CREATE TABLE secret_project_key (
    project_id TEXT PRIMARY KEY,
    wrapped TEXT NOT NULL
);

CREATE TABLE secret (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    creator_id TEXT NOT NULL,
    name TEXT,
    secret_type TEXT NOT NULL,
    algorithm TEXT,
    bit_length BIGINT,
    mode TEXT,
    expiration BIGINT,
    -- NULL while there is no payload.
    content_type TEXT,
    -- Encrypted under the project's key.
    payload TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX secret_project ON secret (project_id);

CREATE TABLE secret_metadata (
    secret_id TEXT NOT NULL REFERENCES secret (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (secret_id, name)
);

CREATE TABLE secret_container (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    creator_id TEXT NOT NULL,
    name TEXT,
    type TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX secret_container_project ON secret_container (project_id);

CREATE TABLE secret_container_secret (
    container_id TEXT NOT NULL REFERENCES secret_container (id) ON DELETE CASCADE,
    secret_id TEXT NOT NULL REFERENCES secret (id) ON DELETE CASCADE,
    -- '' for none.
    name TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (container_id, secret_id, name)
);
CREATE INDEX secret_container_secret_secret ON secret_container_secret (secret_id);

-- Who uses a secret or a container; `first` to `third` are (service, resource type, resource id) or (name, URL, '').
CREATE TABLE secret_consumer (
    id TEXT PRIMARY KEY,
    of_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    third TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (of_id, first, second, third)
);
CREATE INDEX secret_consumer_project ON secret_consumer (project_id);

-- Of a secret or a container.
CREATE TABLE secret_acl (
    of_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    project_access BIGINT NOT NULL,
    -- JSON list of users' ids.
    users TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (of_id, operation)
);

CREATE TABLE secret_order (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    creator_id TEXT NOT NULL,
    type TEXT NOT NULL,
    -- JSON object.
    meta TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX secret_order_project ON secret_order (project_id);

-- NULL: the default, which is no limit.
CREATE TABLE secret_quota (
    project_id TEXT PRIMARY KEY,
    secrets BIGINT,
    orders BIGINT,
    containers BIGINT,
    consumers BIGINT,
    cas BIGINT,
    created_at BIGINT NOT NULL
);
