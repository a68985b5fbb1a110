CREATE TABLE network_quota (
    project_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (project_id, resource)
);

CREATE TABLE network_agent (
    id TEXT PRIMARY KEY,
    agent_type TEXT NOT NULL,
    host TEXT NOT NULL,
    description TEXT NOT NULL,
    admin_state_up BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    UNIQUE (agent_type, host)
);
