CREATE TABLE router (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    admin_state_up BIGINT NOT NULL,
    status TEXT NOT NULL,
    enable_snat BIGINT NOT NULL,
    routes TEXT NOT NULL,
    availability_zone_hints TEXT NOT NULL
);
CREATE INDEX router_project ON router (project_id);

CREATE TABLE floating_ip (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    floating_network_id TEXT NOT NULL,
    -- The port that holds the address on the external network.
    floating_port_id TEXT NOT NULL REFERENCES port (id),
    floating_ip_address TEXT NOT NULL,
    port_id TEXT NOT NULL,
    fixed_ip_address TEXT NOT NULL,
    router_id TEXT NOT NULL,
    status TEXT NOT NULL,
    -- The router whose namespace may still carry it; it is DOWN only when that one has been applied again.
    carried_by TEXT NOT NULL,
    UNIQUE (floating_network_id, floating_ip_address)
);
CREATE INDEX floating_ip_project ON floating_ip (project_id);
CREATE INDEX floating_ip_router ON floating_ip (router_id);
CREATE INDEX floating_ip_carrier ON floating_ip (carried_by);
CREATE UNIQUE INDEX floating_ip_fixed ON floating_ip (port_id, fixed_ip_address, floating_network_id)
    WHERE port_id <> '';
