CREATE TABLE auto_topology (
    project_id TEXT PRIMARY KEY,
    network_id TEXT NOT NULL REFERENCES network (id),
    router_id TEXT NOT NULL REFERENCES router (id)
);
