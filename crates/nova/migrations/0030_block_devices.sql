-- Volumes of servers. A row is written with the volume's attachment, in one transaction, and goes with it; `id` is the
-- bdm_uuid that clients see.
CREATE TABLE server_block_devices (
    id TEXT PRIMARY KEY,
    server_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    state TEXT NOT NULL,
    source_type TEXT NOT NULL,
    source_id TEXT,
    volume_id TEXT NOT NULL,
    attachment_id TEXT,
    size_gib BIGINT,
    volume_type TEXT,
    boot_index BIGINT,
    device_name TEXT,
    disk_bus TEXT,
    device_type TEXT,
    guest_format TEXT,
    tag TEXT,
    delete_on_termination BIGINT NOT NULL,
    request_id TEXT,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX server_block_devices_server ON server_block_devices (server_id, position);
CREATE INDEX server_block_devices_volume ON server_block_devices (volume_id);
CREATE INDEX server_block_devices_state ON server_block_devices (state);
