//! Who may do what, by Cinder's own policy names. Where Cinder asks no policy the name says what is asked for.
//!
//! One route serves all actions of a thing, so it asks for a reader; each action asks for its own policy.

use base::{Policy, Rule};

pub const VERSIONS: Policy = Policy::new("versions", Rule::Public);
pub const ANYONE: Policy = Policy::new("extensions", Rule::Authenticated);
pub const LIST: Policy = Policy::new("volume:get_all", Rule::ProjectReader);
pub const GET: Policy = Policy::new("volume:get", Rule::ProjectReader);
pub const CREATE: Policy = Policy::new("volume:create", Rule::ProjectMember);
pub const CREATE_FROM_IMAGE: Policy = Policy::new("volume:create_from_image", Rule::ProjectMember);
pub const UPDATE: Policy = Policy::new("volume:update", Rule::ProjectMember);
pub const DELETE: Policy = Policy::new("volume:delete", Rule::ProjectMember);
pub const FORCE_DELETE: Policy = Policy::new("volume:force_delete", Rule::Admin);
pub const META_GET: Policy = Policy::new("volume:get_volume_metadata", Rule::ProjectReader);
pub const META_CREATE: Policy = Policy::new("volume:create_volume_metadata", Rule::ProjectMember);
pub const META_UPDATE: Policy = Policy::new("volume:update_volume_metadata", Rule::ProjectMember);
pub const META_DELETE: Policy = Policy::new("volume:delete_volume_metadata", Rule::ProjectMember);
pub const ACTION: Policy = Policy::new("volume_extension:volume_actions", Rule::ProjectReader);
pub const EXTEND: Policy = Policy::new("volume:extend", Rule::ProjectMember);
pub const EXTEND_ATTACHED: Policy = Policy::new("volume:extend_attached_volume", Rule::ProjectMember);
pub const REVERT: Policy = Policy::new("volume:revert_to_snapshot", Rule::ProjectMember);
pub const REIMAGE: Policy = Policy::new("volume:reimage", Rule::ProjectMember);
pub const REIMAGE_RESERVED: Policy = Policy::new("volume:reimage_reserved", Rule::ProjectMember);
pub const RESET: Policy = Policy::new("volume_extension:volume_admin_actions:reset_status", Rule::Admin);
pub const ADMIN_DELETE: Policy =
    Policy::new("volume_extension:volume_admin_actions:force_delete", Rule::Admin);
pub const ADMIN_DETACH: Policy =
    Policy::new("volume_extension:volume_admin_actions:force_detach", Rule::Admin);
pub const MIGRATE: Policy = Policy::new("volume_extension:volume_admin_actions:migrate_volume", Rule::Admin);
pub const RETYPE: Policy = Policy::new("volume:retype", Rule::ProjectMember);
pub const READONLY: Policy = Policy::new("volume:update_readonly_flag", Rule::ProjectMember);
pub const UPLOAD: Policy = Policy::new("volume_extension:volume_actions:upload_image", Rule::ProjectMember);
pub const UPLOAD_PUBLIC: Policy = Policy::new("volume_extension:volume_actions:upload_public", Rule::Admin);
pub const INITIALIZE: Policy =
    Policy::new("volume_extension:volume_actions:initialize_connection", Rule::ProjectMember);
pub const TERMINATE: Policy =
    Policy::new("volume_extension:volume_actions:terminate_connection", Rule::ProjectMember);
pub const ROLL_DETACHING: Policy =
    Policy::new("volume_extension:volume_actions:roll_detaching", Rule::ProjectMember);
pub const RESERVE: Policy = Policy::new("volume_extension:volume_actions:reserve", Rule::ProjectMember);
pub const UNRESERVE: Policy = Policy::new("volume_extension:volume_actions:unreserve", Rule::ProjectMember);
pub const BEGIN_DETACHING: Policy =
    Policy::new("volume_extension:volume_actions:begin_detaching", Rule::ProjectMember);
pub const ATTACH: Policy = Policy::new("volume_extension:volume_actions:attach", Rule::ProjectMember);
pub const DETACH: Policy = Policy::new("volume_extension:volume_actions:detach", Rule::ProjectMember);
pub const IMAGE_META_SET: Policy =
    Policy::new("volume_extension:volume_image_metadata:set", Rule::ProjectMember);
pub const IMAGE_META_UNSET: Policy =
    Policy::new("volume_extension:volume_image_metadata:remove", Rule::ProjectMember);
pub const ENCRYPTION_OF_VOLUME: Policy =
    Policy::new("volume_extension:volume_encryption_metadata", Rule::ProjectReader);
pub const SNAPSHOT_LIST: Policy = Policy::new("volume:get_all_snapshots", Rule::ProjectReader);
pub const SNAPSHOT_GET: Policy = Policy::new("volume:get_snapshot", Rule::ProjectReader);
pub const SNAPSHOT_CREATE: Policy = Policy::new("volume:create_snapshot", Rule::ProjectMember);
pub const SNAPSHOT_UPDATE: Policy = Policy::new("volume:update_snapshot", Rule::ProjectMember);
pub const SNAPSHOT_DELETE: Policy = Policy::new("volume:delete_snapshot", Rule::ProjectMember);
pub const SNAPSHOT_META_GET: Policy = Policy::new("volume:get_snapshot_metadata", Rule::ProjectReader);
pub const SNAPSHOT_META_UPDATE: Policy = Policy::new("volume:update_snapshot_metadata", Rule::ProjectMember);
pub const SNAPSHOT_META_DELETE: Policy = Policy::new("volume:delete_snapshot_metadata", Rule::ProjectMember);
pub const SNAPSHOT_ACTION: Policy = Policy::new("snapshot_extension:snapshot_actions", Rule::ProjectReader);
pub const SNAPSHOT_RESET: Policy =
    Policy::new("volume_extension:snapshot_admin_actions:reset_status", Rule::Admin);
pub const SNAPSHOT_FORCE_DELETE: Policy =
    Policy::new("volume_extension:snapshot_admin_actions:force_delete", Rule::Admin);
pub const SNAPSHOT_STATUS: Policy =
    Policy::new("snapshot_extension:snapshot_actions:update_snapshot_status", Rule::ProjectMember);
pub const ATTACHMENT_READ: Policy = Policy::new("volume:attachment_get", Rule::Authenticated);
pub const ATTACHMENT_CREATE: Policy = Policy::new("volume:attachment_create", Rule::ProjectMember);
pub const ATTACHMENT_UPDATE: Policy = Policy::new("volume:attachment_update", Rule::ProjectMember);
pub const ATTACHMENT_DELETE: Policy = Policy::new("volume:attachment_delete", Rule::ProjectMember);
pub const ATTACHMENT_COMPLETE: Policy = Policy::new("volume:attachment_complete", Rule::ProjectMember);
pub const TRANSFER_LIST: Policy = Policy::new("volume:get_all_transfers", Rule::ProjectReader);
pub const TRANSFER_GET: Policy = Policy::new("volume:get_transfer", Rule::ProjectReader);
pub const TRANSFER_CREATE: Policy = Policy::new("volume:create_transfer", Rule::ProjectMember);
pub const TRANSFER_ACCEPT: Policy = Policy::new("volume:accept_transfer", Rule::ProjectMember);
pub const TRANSFER_DELETE: Policy = Policy::new("volume:delete_transfer", Rule::ProjectMember);
pub const TYPE_LIST: Policy = Policy::new("volume_extension:type_get_all", Rule::ProjectReader);
pub const TYPE_GET: Policy = Policy::new("volume_extension:type_get", Rule::ProjectReader);
pub const TYPE_CREATE: Policy = Policy::new("volume_extension:type_create", Rule::Admin);
pub const TYPE_UPDATE: Policy = Policy::new("volume_extension:type_update", Rule::Admin);
pub const TYPE_DELETE: Policy = Policy::new("volume_extension:type_delete", Rule::Admin);
pub const SPECS_LIST: Policy = Policy::new("volume_extension:types_extra_specs:index", Rule::ProjectReader);
pub const SPECS_GET: Policy = Policy::new("volume_extension:types_extra_specs:show", Rule::ProjectReader);
pub const SPECS_CREATE: Policy = Policy::new("volume_extension:types_extra_specs:create", Rule::Admin);
pub const SPECS_UPDATE: Policy = Policy::new("volume_extension:types_extra_specs:update", Rule::Admin);
pub const SPECS_DELETE: Policy = Policy::new("volume_extension:types_extra_specs:delete", Rule::Admin);
pub const TYPE_PUBLICITY: Policy = Policy::new("volume_extension:volume_type_access", Rule::ProjectMember);
pub const ACCESS_LIST: Policy =
    Policy::new("volume_extension:volume_type_access:get_all_for_type", Rule::Admin);
pub const TYPE_ACTION: Policy =
    Policy::new("volume_extension:volume_type_access:addProjectAccess", Rule::Admin);
pub const ENCRYPTION_GET: Policy = Policy::new("volume_extension:volume_type_encryption:get", Rule::Admin);
pub const ENCRYPTION_CREATE: Policy =
    Policy::new("volume_extension:volume_type_encryption:create", Rule::Admin);
pub const ENCRYPTION_UPDATE: Policy =
    Policy::new("volume_extension:volume_type_encryption:update", Rule::Admin);
pub const ENCRYPTION_DELETE: Policy =
    Policy::new("volume_extension:volume_type_encryption:delete", Rule::Admin);
pub const DEFAULT_SET: Policy = Policy::new("volume_extension:default_set_or_update", Rule::Admin);
pub const DEFAULT_GET: Policy = Policy::new("volume_extension:default_get", Rule::Admin);
pub const DEFAULT_LIST: Policy = Policy::new("volume_extension:default_get_all", Rule::Admin);
pub const DEFAULT_UNSET: Policy = Policy::new("volume_extension:default_unset", Rule::Admin);
pub const QOS_LIST: Policy = Policy::new("volume_extension:qos_specs_manage:get_all", Rule::Admin);
pub const QOS_GET: Policy = Policy::new("volume_extension:qos_specs_manage:get", Rule::Admin);
pub const QOS_CREATE: Policy = Policy::new("volume_extension:qos_specs_manage:create", Rule::Admin);
pub const QOS_UPDATE: Policy = Policy::new("volume_extension:qos_specs_manage:update", Rule::Admin);
pub const QOS_DELETE: Policy = Policy::new("volume_extension:qos_specs_manage:delete", Rule::Admin);
pub const GROUP_TYPE_LIST: Policy = Policy::new("group:group_types:get_all", Rule::Authenticated);
pub const GROUP_TYPE_GET: Policy = Policy::new("group:group_types:get", Rule::Authenticated);
pub const GROUP_TYPE_CREATE: Policy = Policy::new("group:group_types:create", Rule::Admin);
pub const GROUP_TYPE_UPDATE: Policy = Policy::new("group:group_types:update", Rule::Admin);
pub const GROUP_TYPE_DELETE: Policy = Policy::new("group:group_types:delete", Rule::Admin);
pub const GROUP_SPECS_SEEN: Policy = Policy::new("group:access_group_types_specs", Rule::Admin);
pub const GROUP_SPECS_LIST: Policy = Policy::new("group:group_types_specs:get_all", Rule::Admin);
pub const GROUP_SPECS_GET: Policy = Policy::new("group:group_types_specs:get", Rule::Admin);
pub const GROUP_SPECS_CREATE: Policy = Policy::new("group:group_types_specs:create", Rule::Admin);
pub const GROUP_SPECS_UPDATE: Policy = Policy::new("group:group_types_specs:update", Rule::Admin);
pub const GROUP_SPECS_DELETE: Policy = Policy::new("group:group_types_specs:delete", Rule::Admin);
pub const GROUP_LIST: Policy = Policy::new("group:get_all", Rule::ProjectReader);
pub const GROUP_GET: Policy = Policy::new("group:get", Rule::ProjectReader);
pub const GROUP_CREATE: Policy = Policy::new("group:create", Rule::ProjectMember);
pub const GROUP_UPDATE: Policy = Policy::new("group:update", Rule::ProjectMember);
pub const GROUP_ACTION: Policy = Policy::new("group:group_actions", Rule::ProjectReader);
pub const GROUP_DELETE: Policy = Policy::new("group:delete", Rule::ProjectMember);
pub const GROUP_RESET: Policy = Policy::new("group:reset_status", Rule::Admin);
pub const GROUP_REPLICATION: Policy = Policy::new("group:enable_replication", Rule::ProjectMember);
pub const GROUP_SNAPSHOT_LIST: Policy = Policy::new("group:get_all_group_snapshots", Rule::ProjectReader);
pub const GROUP_SNAPSHOT_GET: Policy = Policy::new("group:get_group_snapshot", Rule::ProjectReader);
pub const GROUP_SNAPSHOT_CREATE: Policy = Policy::new("group:create_group_snapshot", Rule::ProjectMember);
pub const GROUP_SNAPSHOT_DELETE: Policy = Policy::new("group:delete_group_snapshot", Rule::ProjectMember);
pub const GROUP_SNAPSHOT_RESET: Policy = Policy::new("group:reset_group_snapshot_status", Rule::Admin);
pub const QUOTA_SHOW: Policy = Policy::new("volume_extension:quotas:show", Rule::ProjectReader);
pub const QUOTA_UPDATE: Policy = Policy::new("volume_extension:quotas:update", Rule::Admin);
pub const QUOTA_DELETE: Policy = Policy::new("volume_extension:quotas:delete", Rule::Admin);
pub const CLASS_GET: Policy = Policy::new("volume_extension:quota_classes:get", Rule::Admin);
pub const CLASS_UPDATE: Policy = Policy::new("volume_extension:quota_classes:update", Rule::Admin);
pub const LIMITS: Policy = Policy::new("limits_extension:used_limits", Rule::ProjectReader);
pub const SERVICE_LIST: Policy = Policy::new("volume_extension:services:index", Rule::Admin);
pub const SERVICE_UPDATE: Policy = Policy::new("volume_extension:services:update", Rule::Admin);
pub const SERVICE_FREEZE: Policy = Policy::new("volume:freeze_host", Rule::Admin);
pub const SERVICE_THAW: Policy = Policy::new("volume:thaw_host", Rule::Admin);
pub const SERVICE_FAILOVER: Policy = Policy::new("volume:failover_host", Rule::Admin);
pub const HOSTS: Policy = Policy::new("volume_extension:hosts", Rule::Admin);
pub const ZONES: Policy = Policy::new("availability_zones", Rule::Authenticated);
pub const POOLS: Policy = Policy::new("scheduler_extension:scheduler_stats:get_pools", Rule::Admin);
pub const CAPABILITIES: Policy = Policy::new("volume_extension:capabilities", Rule::Admin);
pub const MESSAGE_LIST: Policy = Policy::new("message:get_all", Rule::ProjectReader);
pub const MESSAGE_GET: Policy = Policy::new("message:get", Rule::ProjectReader);
pub const MESSAGE_DELETE: Policy = Policy::new("message:delete", Rule::ProjectMember);
pub const BACKUP_LIST: Policy = Policy::new("backup:get_all", Rule::ProjectReader);
pub const BACKUP_GET: Policy = Policy::new("backup:get", Rule::ProjectReader);
pub const BACKUP_CREATE: Policy = Policy::new("backup:create", Rule::ProjectMember);
pub const BACKUP_UPDATE: Policy = Policy::new("backup:update", Rule::ProjectMember);
pub const BACKUP_DELETE: Policy = Policy::new("backup:delete", Rule::ProjectMember);
pub const BACKUP_RESTORE: Policy = Policy::new("backup:restore", Rule::ProjectMember);
pub const BACKUP_EXPORT: Policy = Policy::new("backup:export-import", Rule::Admin);
pub const BACKUP_IMPORT: Policy = Policy::new("backup:backup-import", Rule::Admin);
pub const BACKUP_RESET: Policy =
    Policy::new("volume_extension:backup_admin_actions:reset_status", Rule::Admin);
