-- The rules that new security groups begin with.
CREATE TABLE default_security_group_rule (
    id TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    direction TEXT NOT NULL,
    ethertype TEXT NOT NULL,
    protocol TEXT NOT NULL,
    port_range_min BIGINT,
    port_range_max BIGINT,
    remote_ip_prefix TEXT NOT NULL,
    -- A group's id, PARENT for the new group itself, or ''.
    remote_group_id TEXT NOT NULL,
    remote_address_group_id TEXT NOT NULL,
    used_in_default_sg BIGINT NOT NULL,
    used_in_non_default_sg BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
INSERT INTO default_security_group_rule VALUES
    ('0d3f0c2a-6a54-4d0b-9d1a-1f5f5c0e4a01', 'Legacy default SG rule for egress traffic', 'egress', 'IPv4', '', NULL, NULL, '', '', '', 1, 1, 0, 0, 0),
    ('0d3f0c2a-6a54-4d0b-9d1a-1f5f5c0e4a02', 'Legacy default SG rule for egress traffic', 'egress', 'IPv6', '', NULL, NULL, '', '', '', 1, 1, 0, 0, 0),
    ('0d3f0c2a-6a54-4d0b-9d1a-1f5f5c0e4a03', 'Legacy default SG rule for ingress traffic', 'ingress', 'IPv4', '', NULL, NULL, '', 'PARENT', '', 1, 0, 0, 0, 0),
    ('0d3f0c2a-6a54-4d0b-9d1a-1f5f5c0e4a04', 'Legacy default SG rule for ingress traffic', 'ingress', 'IPv6', '', NULL, NULL, '', 'PARENT', '', 1, 0, 0, 0, 0);
