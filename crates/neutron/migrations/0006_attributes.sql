ALTER TABLE network ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
ALTER TABLE network ADD COLUMN qos_policy_id TEXT NOT NULL DEFAULT '';

ALTER TABLE subnet ADD COLUMN subnetpool_id TEXT NOT NULL DEFAULT '';
ALTER TABLE subnet ADD COLUMN service_types TEXT NOT NULL DEFAULT '[]';
ALTER TABLE subnet ADD COLUMN dns_publish_fixed_ip BIGINT NOT NULL DEFAULT 0;
CREATE INDEX subnet_pool_of ON subnet (subnetpool_id);

-- A port's own policy goes before its network's.
ALTER TABLE port ADD COLUMN qos_policy_id TEXT NOT NULL DEFAULT '';
ALTER TABLE port ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
ALTER TABLE port ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
ALTER TABLE port ADD COLUMN extra_dhcp_opts TEXT NOT NULL DEFAULT '[]';
ALTER TABLE port ADD COLUMN uplink_status BIGINT NOT NULL DEFAULT 1;

ALTER TABLE floating_ip ADD COLUMN qos_policy_id TEXT NOT NULL DEFAULT '';
ALTER TABLE floating_ip ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
ALTER TABLE floating_ip ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';

ALTER TABLE router ADD COLUMN gateway_qos_policy_id TEXT NOT NULL DEFAULT '';
ALTER TABLE router ADD COLUMN flavor_id TEXT NOT NULL DEFAULT '';

-- A group that is not stateful lets answers pass only by rules of their own.
ALTER TABLE security_group ADD COLUMN stateful BIGINT NOT NULL DEFAULT 1;
ALTER TABLE security_group ADD COLUMN shared BIGINT NOT NULL DEFAULT 0;
ALTER TABLE security_group_rule ADD COLUMN remote_address_group_id TEXT;
CREATE INDEX security_group_rule_address_group ON security_group_rule (remote_address_group_id);
