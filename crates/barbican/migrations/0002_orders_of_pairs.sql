-- An order is for a secret or for a container of two; '' where it is not for one.
ALTER TABLE secret_order ADD COLUMN container_id TEXT NOT NULL DEFAULT '';
