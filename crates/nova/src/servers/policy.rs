//! Who may do what with servers, by the names of Nova's policies.

use base::{Policy, Rule};

pub const LIST: Policy = Policy::new("os_compute_api:servers:index", Rule::ProjectReader);
pub const DETAIL: Policy = Policy::new("os_compute_api:servers:detail", Rule::ProjectReader);
pub const LIST_ALL: Policy = Policy::new("os_compute_api:servers:index:get_all_tenants", Rule::Admin);
pub const SHOW: Policy = Policy::new("os_compute_api:servers:show", Rule::ProjectReader);
pub const CREATE: Policy = Policy::new("os_compute_api:servers:create", Rule::ProjectMember);
pub const FORCED_HOST: Policy = Policy::new("os_compute_api:servers:create:forced_host", Rule::Admin);
pub const ZERO_DISK: Policy = Policy::new("os_compute_api:servers:create:zero_disk_flavor", Rule::Admin);
pub const UPDATE: Policy = Policy::new("os_compute_api:servers:update", Rule::ProjectMember);
pub const DELETE: Policy = Policy::new("os_compute_api:servers:delete", Rule::ProjectMember);
/// Every action asks for its own policy too.
pub const ACTION: Policy = Policy::new("os_compute_api:servers:action", Rule::ProjectMember);
pub const START: Policy = Policy::new("os_compute_api:servers:start", Rule::ProjectMember);
pub const STOP: Policy = Policy::new("os_compute_api:servers:stop", Rule::ProjectMember);
pub const REBOOT: Policy = Policy::new("os_compute_api:servers:reboot", Rule::ProjectMember);
pub const PAUSE: Policy = Policy::new("os_compute_api:os-pause-server:pause", Rule::ProjectMember);
pub const UNPAUSE: Policy = Policy::new("os_compute_api:os-pause-server:unpause", Rule::ProjectMember);
pub const LOCK: Policy = Policy::new("os_compute_api:os-lock-server:lock", Rule::ProjectMember);
pub const UNLOCK: Policy = Policy::new("os_compute_api:os-lock-server:unlock", Rule::ProjectMember);
pub const UNLOCK_OVERRIDE: Policy =
    Policy::new("os_compute_api:os-lock-server:unlock:unlock_override", Rule::Admin);
pub const RESET_STATE: Policy = Policy::new("os_compute_api:os-admin-actions:reset_state", Rule::Admin);
pub const CONSOLE: Policy = Policy::new("os_compute_api:os-console-output", Rule::ProjectMember);
pub const FORCE_DELETE: Policy = Policy::new("os_compute_api:os-deferred-delete:force", Rule::ProjectMember);
pub const RESTORE: Policy = Policy::new("os_compute_api:os-deferred-delete:restore", Rule::ProjectMember);
pub const REBUILD: Policy = Policy::new("os_compute_api:servers:rebuild", Rule::ProjectMember);
pub const RESIZE: Policy = Policy::new("os_compute_api:servers:resize", Rule::ProjectMember);
pub const CONFIRM_RESIZE: Policy = Policy::new("os_compute_api:servers:confirm_resize", Rule::ProjectMember);
pub const REVERT_RESIZE: Policy = Policy::new("os_compute_api:servers:revert_resize", Rule::ProjectMember);
pub const MIGRATE: Policy = Policy::new("os_compute_api:os-migrate-server:migrate", Rule::ProjectManager);
pub const MIGRATE_TO_HOST: Policy = Policy::new("os_compute_api:os-migrate-server:migrate:host", Rule::Admin);
pub const MIGRATE_LIVE: Policy =
    Policy::new("os_compute_api:os-migrate-server:migrate_live", Rule::ProjectManager);
pub const MIGRATE_LIVE_TO_HOST: Policy =
    Policy::new("os_compute_api:os-migrate-server:migrate_live:host", Rule::Admin);
pub const EVACUATE: Policy = Policy::new("os_compute_api:os-evacuate", Rule::Admin);
pub const RESCUE: Policy = Policy::new("os_compute_api:os-rescue", Rule::ProjectMember);
pub const UNRESCUE: Policy = Policy::new("os_compute_api:os-unrescue", Rule::ProjectMember);
pub const SUSPEND: Policy = Policy::new("os_compute_api:os-suspend-server:suspend", Rule::ProjectMember);
pub const RESUME: Policy = Policy::new("os_compute_api:os-suspend-server:resume", Rule::ProjectMember);
pub const SHELVE: Policy = Policy::new("os_compute_api:os-shelve:shelve", Rule::ProjectMember);
pub const SHELVE_OFFLOAD: Policy = Policy::new("os_compute_api:os-shelve:shelve_offload", Rule::Admin);
pub const UNSHELVE: Policy = Policy::new("os_compute_api:os-shelve:unshelve", Rule::ProjectMember);
pub const UNSHELVE_TO_HOST: Policy = Policy::new("os_compute_api:os-shelve:unshelve_to_host", Rule::Admin);
pub const CREATE_IMAGE: Policy = Policy::new("os_compute_api:servers:create_image", Rule::ProjectMember);
pub const CREATE_BACKUP: Policy = Policy::new("os_compute_api:os-create-backup", Rule::ProjectMember);
pub const CHANGE_PASSWORD: Policy = Policy::new("os_compute_api:os-admin-password", Rule::ProjectMember);
pub const CRASH_DUMP: Policy = Policy::new("os_compute_api:servers:trigger_crash_dump", Rule::ProjectMember);
pub const INJECT_NETWORK: Policy =
    Policy::new("os_compute_api:os-admin-actions:inject_network_info", Rule::Admin);
pub const DIAGNOSTICS: Policy = Policy::new("os_compute_api:os-server-diagnostics", Rule::Admin);
pub const GROUPS: Policy = Policy::new("os_compute_api:os-security-groups:list", Rule::ProjectReader);
pub const GROUPS_ADD: Policy = Policy::new("os_compute_api:os-security-groups:add", Rule::ProjectMember);
pub const GROUPS_REMOVE: Policy =
    Policy::new("os_compute_api:os-security-groups:remove", Rule::ProjectMember);
pub const METADATA: Policy = Policy::new("os_compute_api:server-metadata:index", Rule::ProjectReader);
pub const METADATA_CHANGE: Policy = Policy::new("os_compute_api:server-metadata:update", Rule::ProjectMember);
pub const METADATA_DELETE: Policy = Policy::new("os_compute_api:server-metadata:delete", Rule::ProjectMember);
pub const TAGS: Policy = Policy::new("os_compute_api:os-server-tags:index", Rule::ProjectReader);
pub const TAGS_CHANGE: Policy = Policy::new("os_compute_api:os-server-tags:update", Rule::ProjectMember);
pub const TAGS_DELETE: Policy = Policy::new("os_compute_api:os-server-tags:delete", Rule::ProjectMember);
pub const PASSWORD: Policy = Policy::new("os_compute_api:os-server-password:show", Rule::ProjectReader);
pub const PASSWORD_CLEAR: Policy =
    Policy::new("os_compute_api:os-server-password:clear", Rule::ProjectMember);
pub const INTERFACES: Policy = Policy::new("os_compute_api:os-attach-interfaces:list", Rule::ProjectReader);
pub const INTERFACE_CREATE: Policy =
    Policy::new("os_compute_api:os-attach-interfaces:create", Rule::ProjectMember);
pub const INTERFACE_DELETE: Policy =
    Policy::new("os_compute_api:os-attach-interfaces:delete", Rule::ProjectMember);
pub const FIXED_IP_ADD: Policy = Policy::new("os_compute_api:os-multinic:add", Rule::ProjectMember);
pub const FIXED_IP_REMOVE: Policy = Policy::new("os_compute_api:os-multinic:remove", Rule::ProjectMember);
pub const TOPOLOGY: Policy = Policy::new("compute:server:topology:index", Rule::ProjectReader);
pub const IPS: Policy = Policy::new("os_compute_api:ips:index", Rule::ProjectReader);
