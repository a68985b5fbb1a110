CREATE TABLE events (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    request_id TEXT NOT NULL
);
CREATE INDEX events_resource ON events (resource_id);
