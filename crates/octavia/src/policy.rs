//! Who may, by Octavia's own names.

use base::{Ctx, Policy, Rule};

macro_rules! policies {
    ($($name:ident = $text:literal $rule:ident;)*) => {$(
        pub const $name: Policy = Policy::new(concat!("os_load-balancer_api:", $text), Rule::$rule);
    )*};
}

pub const ANYONE: Policy = Policy::new("versions", Rule::Public);

/// What the routes of one noun ask.
pub struct Set {
    pub list: Policy,
    pub show: Policy,
    pub create: Policy,
    pub update: Policy,
    pub delete: Policy,
}

macro_rules! sets {
    ($($name:ident = $text:literal $read:ident $write:ident;)*) => {$(
        pub const $name: Set = Set {
            list: Policy::new(concat!("os_load-balancer_api:", $text, ":get_all"), Rule::$read),
            show: Policy::new(concat!("os_load-balancer_api:", $text, ":get_one"), Rule::$read),
            create: Policy::new(concat!("os_load-balancer_api:", $text, ":post"), Rule::$write),
            update: Policy::new(concat!("os_load-balancer_api:", $text, ":put"), Rule::$write),
            delete: Policy::new(concat!("os_load-balancer_api:", $text, ":delete"), Rule::$write),
        };
    )*};
}

sets! {
    LOAD_BALANCER = "loadbalancer" BalancerReader BalancerMember;
    LISTENER = "listener" BalancerReader BalancerMember;
    POOL = "pool" BalancerReader BalancerMember;
    MEMBER = "member" BalancerReader BalancerMember;
    HEALTH_MONITOR = "healthmonitor" BalancerReader BalancerMember;
    L7POLICY = "l7policy" BalancerReader BalancerMember;
    L7RULE = "l7rule" BalancerReader BalancerMember;
    FLAVOR = "flavor" BalancerReader BalancerAdmin;
    FLAVOR_PROFILE = "flavor-profile" BalancerAdmin BalancerAdmin;
    ZONE = "availability-zone" BalancerReader BalancerAdmin;
    ZONE_PROFILE = "availability-zone-profile" BalancerAdmin BalancerAdmin;
}

policies! {
    STATUS = "loadbalancer:get_status" BalancerReader;
    STATS = "loadbalancer:get_stats" BalancerReader;
    FAILOVER = "loadbalancer:put_failover" BalancerAdmin;
    LISTENER_STATS = "listener:get_stats" BalancerReader;
    PROVIDERS = "provider:get_all" BalancerReader;
    PROVIDER_FLAVOR = "provider-flavor:get_all" BalancerAdmin;
    PROVIDER_ZONE = "provider-availability-zone:get_all" BalancerAdmin;
    AMPHORA_LIST = "amphora:get_all" BalancerAdmin;
    AMPHORA_SHOW = "amphora:get_one" BalancerAdmin;
    AMPHORA_DELETE = "amphora:delete" BalancerAdmin;
    AMPHORA_STATS = "amphora:get_stats" BalancerAdmin;
    AMPHORA_CONFIG = "amphora:put_config" BalancerAdmin;
    AMPHORA_FAILOVER = "amphora:put_failover" BalancerAdmin;
    QUOTA_LIST = "quota:get_all" BalancerQuotaReader;
    QUOTA_SHOW = "quota:get_one" BalancerQuotaReader;
    QUOTA_DEFAULTS = "quota:get_defaults" BalancerQuotaReader;
    QUOTA_UPDATE = "quota:put" BalancerQuotaAdmin;
    QUOTA_DELETE = "quota:delete" BalancerQuotaAdmin;
}

/// Sees what all projects have.
pub fn sees_all(ctx: &Ctx) -> bool {
    governs(ctx) || ctx.auth.has_role("load-balancer_global_observer")
}

/// Changes what all projects have.
pub fn governs(ctx: &Ctx) -> bool {
    ctx.is_admin() || ctx.auth.has_role("load-balancer_admin")
}

pub fn is_own(ctx: &Ctx, project_id: &str) -> bool {
    ctx.project().is_some_and(|project| project.id == project_id)
}
