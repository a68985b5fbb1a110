-- JSON: what the task under way needs, and what must be known until a server leaves its state (resized, rescued, shelved).
ALTER TABLE server_specs ADD COLUMN work TEXT;
-- Resizes and moves. `uuid` also holds the resources that a resized server may go back to.
CREATE TABLE server_migrations (
    number BIGINT PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    server_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT,
    old_flavor TEXT NOT NULL,
    new_flavor TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX server_migrations_server ON server_migrations (server_id);
CREATE INDEX servers_deleted ON servers (deleted_at);
