-- What newer microversions show: the image's properties when the server was made of it, and the scheduler hints.
ALTER TABLE servers ADD COLUMN image_properties TEXT NOT NULL DEFAULT '{}';
ALTER TABLE servers ADD COLUMN scheduler_hints TEXT NOT NULL DEFAULT '{}';
-- A page of all projects' servers, newest first, and what a project uses, each without reading other rows.
CREATE INDEX servers_newest ON servers (deleted_at, created_at);
CREATE INDEX servers_usage ON servers (project_id, deleted_at, user_id, vcpus, memory_mib);
