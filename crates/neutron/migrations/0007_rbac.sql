-- Who besides the owner may use an object. target_project '*' is everybody. A network's `shared` and `external`
-- columns say what the policies for everybody say.
CREATE TABLE rbac_policy (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target_project TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (object_type, object_id, target_project, action)
);
CREATE INDEX rbac_policy_target ON rbac_policy (object_type, target_project);
CREATE INDEX rbac_policy_object ON rbac_policy (object_id);

INSERT INTO rbac_policy (id, project_id, object_type, object_id, action, target_project, created_at)
    SELECT id, project_id, 'network', id, 'access_as_shared', '*', created_at FROM network WHERE shared = 1;
INSERT INTO rbac_policy (id, project_id, object_type, object_id, action, target_project, created_at)
    SELECT '00000000' || substr(id, 9), project_id, 'network', id, 'access_as_external', '*', created_at
    FROM network WHERE external = 1;
