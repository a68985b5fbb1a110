CREATE TABLE port_forwarding (
    id TEXT PRIMARY KEY,
    floating_ip_id TEXT NOT NULL REFERENCES floating_ip (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    -- tcp, udp, sctp, dccp, icmp..: a name; the ports are NULL for protocols without
    protocol TEXT NOT NULL,
    internal_port_id TEXT NOT NULL REFERENCES port (id),
    internal_ip_address TEXT NOT NULL,
    internal_first BIGINT NOT NULL,
    internal_last BIGINT NOT NULL,
    external_first BIGINT NOT NULL,
    external_last BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX port_forwarding_floating_ip ON port_forwarding (floating_ip_id);
CREATE INDEX port_forwarding_port ON port_forwarding (internal_port_id);
