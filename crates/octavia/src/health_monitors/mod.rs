//! Health monitors: who of a pool's members is well.

pub mod api;
pub mod rules;

use crate::request::Else::{Absent, Empty, Flag, Null, Number, Text};
use crate::request::When::{Both, Create, Needed, Required};
use crate::request::{Attr, Is, attr};

pub const TYPES: &[&str] = &["HTTP", "HTTPS", "PING", "SCTP", "TCP", "TLS-HELLO", "UDP-CONNECT"];
pub const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH", "CONNECT"];
const SECONDS: Is = Is::Number(0, i32::MAX as i64);
const DOMAIN: &str =
    r"^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.?$";

pub const ATTRS: &[Attr] = &[
    attr("name", Is::Text(255), Both, Text("")),
    attr("type", Is::One(TYPES), Required, Null),
    attr("delay", SECONDS, Needed, Null),
    attr("timeout", SECONDS, Needed, Null),
    attr("max_retries_down", Is::Number(1, 10), Both, Number(3)),
    attr("max_retries", Is::Number(1, 10), Needed, Null),
    attr("http_method", Is::One(METHODS), Both, Null),
    attr("url_path", Is::UrlPath, Both, Null),
    attr("expected_codes", Is::Shape(r"^(\d{3}(\s*,\s*\d{3})*)$|^(\d{3}-\d{3})$"), Both, Null),
    attr("admin_state_up", Is::Flag, Both, Flag(true)),
    attr("pool_id", Is::Uuid, Create, Absent),
    attr("tags", Is::Texts(255), Both, Empty),
    attr("http_version", Is::HttpVersion, Both, Null),
    attr("domain_name", Is::Shape(DOMAIN), Both, Null),
];
