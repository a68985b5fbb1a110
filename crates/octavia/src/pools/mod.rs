//! Pools: members that take turns.

pub mod api;
pub mod rules;

use crate::request::Else::{Absent, Empty, Flag, Null, Text};
use crate::request::When::{Both, Create};
use crate::request::{Attr, Is, attr};
use crate::{health_monitors, listeners, members};

pub const PROTOCOLS: &[&str] = &["HTTP", "HTTPS", "PROXY", "PROXYV2", "SCTP", "TCP", "UDP"];
pub const ALGORITHMS: &[&str] = &["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"];
pub const PERSISTENCE: &[&str] = &["SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"];

pub const SESSION_PERSISTENCE: &[Attr] = &[
    attr("type", Is::One(PERSISTENCE), Create, Null),
    attr("cookie_name", Is::Shape(r"^[^\s,;\\]+$"), Create, Null),
    attr("persistence_timeout", Is::Number(i32::MIN as i64, i32::MAX as i64), Create, Null),
    attr("persistence_granularity", Is::Address, Create, Null),
];

pub const ATTRS: &[Attr] = &[
    attr("name", Is::Text(255), Both, Text("")),
    attr("description", Is::Text(255), Both, Text("")),
    attr("admin_state_up", Is::Flag, Both, Flag(true)),
    attr("listener_id", Is::Uuid, Create, Absent),
    attr("loadbalancer_id", Is::Uuid, Create, Absent),
    // Where a whole load balancer is created, a name alone refers to a pool beside it.
    attr("protocol", Is::One(PROTOCOLS), Create, Null),
    attr("lb_algorithm", Is::One(ALGORITHMS), Both, Null),
    attr("session_persistence", Is::Object(SESSION_PERSISTENCE), Both, Null),
    attr("healthmonitor", Is::Object(health_monitors::ATTRS), Create, Absent),
    attr("members", Is::Objects(members::ATTRS), Create, Absent),
    attr("tags", Is::Texts(255), Both, Empty),
    attr("tls_container_ref", Is::Text(255), Both, Null),
    attr("ca_tls_container_ref", Is::Text(255), Both, Null),
    attr("crl_container_ref", Is::Text(255), Both, Null),
    attr("tls_enabled", Is::Flag, Both, Flag(false)),
    attr("tls_ciphers", Is::Text(2048), Both, Null),
    attr("tls_versions", Is::Texts(32), Both, Null),
    attr("alpn_protocols", Is::Choices(listeners::ALPN), Both, Null),
];
