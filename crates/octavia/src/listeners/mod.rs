//! Listeners: a protocol on a port of the VIP.

pub mod api;
pub mod rules;

use crate::request::Else::{Absent, Empty, EmptyMap, Flag, Null, Number, Text};
use crate::request::When::{Both, Create, Required};
use crate::request::{Attr, Is, attr};
use crate::{l7policies, pools};

pub const PROTOCOLS: &[&str] = &["HTTP", "HTTPS", "PROMETHEUS", "SCTP", "TCP", "TERMINATED_HTTPS", "UDP"];
pub const CLIENT_AUTHENTICATION: &[&str] = &["NONE", "OPTIONAL", "MANDATORY"];
pub const ALPN: &[&str] = &["h2", "http/1.1", "http/1.0"];

/// Milliseconds.
const TIMEOUT: Is = Is::Number(0, 24 * 24 * 60 * 60 * 1000);
const TIMEOUT_CLIENT: i64 = 50_000;
const TIMEOUT_CONNECT: i64 = 5_000;
const TIMEOUT_MEMBER: i64 = 50_000;

pub const ATTRS: &[Attr] = &[
    attr("name", Is::Text(255), Both, Text("")),
    attr("description", Is::Text(255), Both, Text("")),
    attr("admin_state_up", Is::Flag, Both, Flag(true)),
    attr("protocol", Is::One(PROTOCOLS), Required, Null),
    attr("protocol_port", Is::Number(1, 65535), Required, Null),
    attr("connection_limit", Is::Number(-1, i32::MAX as i64), Both, Number(-1)),
    attr("default_tls_container_ref", Is::Text(255), Both, Null),
    attr("sni_container_refs", Is::Texts(255), Both, Empty),
    attr("default_pool_id", Is::Uuid, Both, Absent),
    attr("default_pool", Is::Object(pools::ATTRS), Create, Absent),
    attr("l7policies", Is::Objects(l7policies::ATTRS), Create, Absent),
    attr("insert_headers", Is::Headers, Both, EmptyMap),
    attr("loadbalancer_id", Is::Uuid, Create, Absent),
    attr("timeout_client_data", TIMEOUT, Both, Number(TIMEOUT_CLIENT)),
    attr("timeout_member_connect", TIMEOUT, Both, Number(TIMEOUT_CONNECT)),
    attr("timeout_member_data", TIMEOUT, Both, Number(TIMEOUT_MEMBER)),
    attr("timeout_tcp_inspect", TIMEOUT, Both, Number(0)),
    attr("tags", Is::Texts(255), Both, Empty),
    attr("client_ca_tls_container_ref", Is::Text(255), Both, Null),
    attr("client_authentication", Is::One(CLIENT_AUTHENTICATION), Both, Text("NONE")),
    attr("client_crl_container_ref", Is::Text(255), Both, Null),
    attr("allowed_cidrs", Is::Networks, Both, Null),
    attr("tls_ciphers", Is::Text(2048), Both, Null),
    attr("tls_versions", Is::Texts(32), Both, Null),
    attr("alpn_protocols", Is::Choices(ALPN), Both, Null),
    attr("hsts_max_age", Is::Number(0, i32::MAX as i64), Both, Null),
    attr("hsts_include_subdomains", Is::Flag, Both, Flag(false)),
    attr("hsts_preload", Is::Flag, Both, Flag(false)),
];
