-- Only a token's hash is kept: who reads the database cannot open consoles.
CREATE TABLE console_tokens (
    hash TEXT PRIMARY KEY,
    server_id TEXT NOT NULL,
    console TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
