CREATE TABLE qos_policy (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    shared BIGINT NOT NULL,
    is_default BIGINT NOT NULL
);
CREATE INDEX qos_policy_project ON qos_policy (project_id);
-- What new networks of the project get.
CREATE UNIQUE INDEX qos_policy_default ON qos_policy (project_id) WHERE is_default = 1;

CREATE TABLE qos_rule (
    id TEXT PRIMARY KEY,
    qos_policy_id TEXT NOT NULL REFERENCES qos_policy (id) ON DELETE CASCADE,
    -- bandwidth_limit, dscp_marking, minimum_bandwidth, packet_rate_limit, minimum_packet_rate
    kind TEXT NOT NULL,
    -- egress, ingress (seen from the machine), any; '' for dscp_marking
    direction TEXT NOT NULL,
    -- kbit/s and kbit: bandwidth_limit
    max_kbps BIGINT NOT NULL,
    max_burst_kbps BIGINT NOT NULL,
    -- kbit/s: minimum_bandwidth
    min_kbps BIGINT NOT NULL,
    dscp_mark BIGINT NOT NULL,
    -- 1000 packets a second: packet_rate_limit, minimum_packet_rate
    max_kpps BIGINT NOT NULL,
    max_burst_kpps BIGINT NOT NULL,
    min_kpps BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (qos_policy_id, kind, direction)
);
