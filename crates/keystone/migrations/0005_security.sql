ALTER TABLE identity_user ADD COLUMN password_expires_at BIGINT;
ALTER TABLE identity_user ADD COLUMN failed_logins BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_user ADD COLUMN failed_login_at BIGINT;

-- Hashes of passwords that a user has had, the present one among them, as far as the rules look back.
CREATE TABLE identity_password (
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    password_hash TEXT NOT NULL,
    PRIMARY KEY (user_id, created_at)
);

-- One row, counted up with every change: other processes over the same database see by it that what they hold is old.
CREATE TABLE identity_epoch (
    number BIGINT NOT NULL
);
INSERT INTO identity_epoch (number) VALUES (0);
