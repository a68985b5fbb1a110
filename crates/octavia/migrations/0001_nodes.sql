CREATE TABLE balancer_node (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    project_id TEXT NOT NULL,
    balancer_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    pool_id TEXT NOT NULL,
    unique_key TEXT,
    provisioning_status TEXT NOT NULL,
    operating_status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    generation BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX balancer_node_balancer ON balancer_node (balancer_id);
CREATE INDEX balancer_node_kind ON balancer_node (kind, project_id);
CREATE UNIQUE INDEX balancer_node_unique ON balancer_node (parent_id, unique_key);
