//! L7 rules: which requests a policy is about. All rules of a policy must hold.

pub mod api;
pub mod rules;

use crate::request::Else::{Empty, Flag, Null};
use crate::request::When::{Both, Needed};
use crate::request::{Attr, Is, attr};

pub const TYPES: &[&str] = &[
    "HOST_NAME",
    "PATH",
    "FILE_TYPE",
    "HEADER",
    "COOKIE",
    "SSL_CONN_HAS_CERT",
    "SSL_VERIFY_RESULT",
    "SSL_DN_FIELD",
];
pub const COMPARE: &[&str] = &["REGEX", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "EQUAL_TO"];

pub const ATTRS: &[Attr] = &[
    attr("type", Is::One(TYPES), Needed, Null),
    attr("compare_type", Is::One(COMPARE), Needed, Null),
    attr("key", Is::Text(255), Both, Null),
    attr("value", Is::Text(255), Needed, Null),
    attr("invert", Is::Flag, Both, Flag(false)),
    attr("admin_state_up", Is::Flag, Both, Flag(true)),
    attr("tags", Is::Texts(255), Both, Empty),
];
