CREATE TABLE security_group (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    is_default BIGINT NOT NULL
);
CREATE INDEX security_group_project ON security_group (project_id);
CREATE UNIQUE INDEX security_group_default ON security_group (project_id) WHERE is_default = 1;

CREATE TABLE security_group_rule (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    security_group_id TEXT NOT NULL REFERENCES security_group (id) ON DELETE CASCADE,
    direction TEXT NOT NULL,
    ethertype TEXT NOT NULL,
    protocol TEXT NOT NULL,
    port_range_min BIGINT,
    port_range_max BIGINT,
    remote_group_id TEXT REFERENCES security_group (id) ON DELETE CASCADE,
    remote_ip_prefix TEXT NOT NULL,
    -- Equal for rules that mean the same.
    fingerprint TEXT NOT NULL,
    UNIQUE (security_group_id, fingerprint)
);
CREATE INDEX security_group_rule_project ON security_group_rule (project_id);
CREATE INDEX security_group_rule_remote ON security_group_rule (remote_group_id);

CREATE TABLE port_security_group (
    port_id TEXT NOT NULL REFERENCES port (id) ON DELETE CASCADE,
    security_group_id TEXT NOT NULL REFERENCES security_group (id),
    PRIMARY KEY (port_id, security_group_id)
);
CREATE INDEX port_security_group_group ON port_security_group (security_group_id);
