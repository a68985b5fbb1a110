-- What an admin said of a network's provider: the tag of a VLAN, the number of a tunnel. NULL for the others.
ALTER TABLE network ADD COLUMN segmentation_id BIGINT;
DROP INDEX network_physical;
CREATE UNIQUE INDEX network_flat ON network (physical_network) WHERE network_type = 'flat';
CREATE UNIQUE INDEX network_segment ON network (network_type, physical_network, segmentation_id);
