-- The network of the port, which never changes: which networks a group is used on is found without looking at each port.
ALTER TABLE port_security_group ADD COLUMN network_id TEXT NOT NULL DEFAULT '';
UPDATE port_security_group SET network_id = (SELECT network_id FROM port WHERE port.id = port_security_group.port_id);
DROP INDEX port_security_group_group;
CREATE INDEX port_security_group_network ON port_security_group (security_group_id, network_id);
