ALTER TABLE images ADD COLUMN stores TEXT NOT NULL DEFAULT '[]';
UPDATE images SET stores = '["file"]' WHERE status IN ('active', 'deactivated');
CREATE INDEX images_status ON images (status);

CREATE TABLE image_tasks (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    owner TEXT NOT NULL,
    image_id TEXT,
    user_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    input TEXT NOT NULL,
    result TEXT,
    message TEXT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX image_tasks_image ON image_tasks (image_id);
CREATE INDEX image_tasks_status ON image_tasks (status);
