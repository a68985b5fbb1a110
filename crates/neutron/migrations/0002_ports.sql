CREATE TABLE port (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    network_id TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
    mac_address TEXT NOT NULL,
    admin_state_up BIGINT NOT NULL,
    status TEXT NOT NULL,
    device_id TEXT NOT NULL,
    device_owner TEXT NOT NULL,
    port_security BIGINT NOT NULL,
    allowed_address_pairs TEXT NOT NULL,
    binding_host TEXT NOT NULL,
    binding_profile TEXT NOT NULL,
    vnic_type TEXT NOT NULL,
    -- Handed out by DHCP; '' prints as host-<address>.
    hostname TEXT NOT NULL,
    created_by_nova BIGINT NOT NULL,
    -- When it was given to its device: the order of a server's interfaces.
    attached_at BIGINT NOT NULL,
    UNIQUE (network_id, mac_address)
);
CREATE INDEX port_network ON port (network_id);
CREATE INDEX port_project ON port (project_id);
CREATE INDEX port_device ON port (device_id);

CREATE TABLE ip_allocation (
    network_id TEXT NOT NULL,
    address TEXT NOT NULL,
    subnet_id TEXT NOT NULL REFERENCES subnet (id) ON DELETE CASCADE,
    port_id TEXT NOT NULL REFERENCES port (id) ON DELETE CASCADE,
    -- Order of the port's fixed_ips.
    position BIGINT NOT NULL,
    PRIMARY KEY (network_id, address)
);
CREATE INDEX ip_allocation_port ON ip_allocation (port_id);
CREATE INDEX ip_allocation_subnet ON ip_allocation (subnet_id);
CREATE INDEX ip_allocation_address ON ip_allocation (address);
