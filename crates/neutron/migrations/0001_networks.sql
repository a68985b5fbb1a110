-- Booleans are 0/1, instants microseconds, lists JSON text. '' means "none" in text columns that point elsewhere.
CREATE TABLE network (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    admin_state_up BIGINT NOT NULL,
    shared BIGINT NOT NULL,
    external BIGINT NOT NULL,
    is_default BIGINT NOT NULL,
    mtu BIGINT NOT NULL,
    port_security BIGINT NOT NULL,
    network_type TEXT NOT NULL,
    physical_network TEXT NOT NULL,
    availability_zone_hints TEXT NOT NULL
);
CREATE INDEX network_project ON network (project_id);
CREATE UNIQUE INDEX network_physical ON network (physical_network) WHERE physical_network <> '';

CREATE TABLE subnet (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    network_id TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
    ip_version BIGINT NOT NULL,
    cidr TEXT NOT NULL,
    gateway_ip TEXT NOT NULL,
    enable_dhcp BIGINT NOT NULL,
    allocation_pools TEXT NOT NULL,
    dns_nameservers TEXT NOT NULL,
    host_routes TEXT NOT NULL,
    ipv6_ra_mode TEXT NOT NULL,
    ipv6_address_mode TEXT NOT NULL,
    -- Where the next search for a free address begins: freed addresses rest before they are given out again.
    next_address TEXT NOT NULL
);
CREATE INDEX subnet_network ON subnet (network_id);
CREATE INDEX subnet_project ON subnet (project_id);
