-- cipher: of an encrypted layer; with a volume, of the layers that are made for it. key_id: in the key manager, what opens them.
ALTER TABLE volume_layers ADD COLUMN cipher TEXT;
ALTER TABLE volumes ADD COLUMN cipher TEXT;
ALTER TABLE volumes ADD COLUMN key_id TEXT;
-- While a volume is encrypted anew: the type that it is to have, and the key of its layer `flat`.
ALTER TABLE volumes ADD COLUMN pending_type TEXT;
ALTER TABLE volumes ADD COLUMN flat_key_id TEXT;
ALTER TABLE volume_backups ADD COLUMN key_id TEXT;
