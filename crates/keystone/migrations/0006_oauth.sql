-- Secrets are encrypted with the credential key.
CREATE TABLE identity_consumer (
    id TEXT PRIMARY KEY,
    encrypted_secret TEXT NOT NULL,
    description TEXT,
    extra TEXT NOT NULL
);

-- kind: request, access. A request token becomes an access token, with a new id, when its bearer shows the verifier.
CREATE TABLE identity_oauth_token (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    encrypted_secret TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    verifier TEXT,
    authorizing_user_id TEXT,
    role_ids TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX identity_oauth_token_user ON identity_oauth_token (authorizing_user_id);
CREATE INDEX identity_oauth_token_consumer ON identity_oauth_token (consumer_id);
