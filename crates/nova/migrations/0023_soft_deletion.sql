-- A server that is deleted softly rests until it is restored or its time is over; quotas and lists do not see it. Whose
-- signatures an image's may be is told with the server.
ALTER TABLE servers ADD COLUMN soft_deleted_at BIGINT;
ALTER TABLE servers ADD COLUMN trusted_certificates TEXT;
DROP INDEX servers_usage;
CREATE INDEX servers_usage ON servers (project_id, deleted_at, soft_deleted_at, user_id, vcpus, memory_mib);
