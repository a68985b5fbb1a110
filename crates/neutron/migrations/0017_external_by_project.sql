-- 0: made by who is no admin. This machine joins only those external networks that an admin opened.
ALTER TABLE rbac_policy ADD COLUMN by_admin BIGINT NOT NULL DEFAULT 1;
