-- Whoever deletes the parts by hand has no topology (without its network) or one without a router.
DROP TABLE auto_topology;
CREATE TABLE auto_topology (
    project_id TEXT PRIMARY KEY,
    network_id TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
    router_id TEXT REFERENCES router (id) ON DELETE SET NULL
);
CREATE INDEX auto_topology_network ON auto_topology (network_id);
CREATE INDEX auto_topology_router ON auto_topology (router_id);
