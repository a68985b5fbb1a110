//! L7 policies: what else a listener may do with a request.

pub mod api;
pub mod rules;

use crate::request::Else::{Absent, Empty, Flag, Null, Number, Text};
use crate::request::When::{Both, Create, Needed};
use crate::request::{Attr, Is, attr};
use crate::{l7rules, pools};

pub const ACTIONS: &[&str] = &["REJECT", "REDIRECT_TO_URL", "REDIRECT_TO_POOL", "REDIRECT_PREFIX"];
pub const LAST: i64 = 2_147_483_647;

pub const ATTRS: &[Attr] = &[
    attr("name", Is::Text(255), Both, Text("")),
    attr("description", Is::Text(255), Both, Text("")),
    attr("admin_state_up", Is::Flag, Both, Flag(true)),
    attr("action", Is::One(ACTIONS), Needed, Null),
    attr("redirect_pool_id", Is::Uuid, Both, Absent),
    attr("redirect_pool", Is::Object(pools::ATTRS), Create, Absent),
    attr("redirect_url", Is::Url, Both, Null),
    attr("redirect_prefix", Is::Url, Both, Null),
    attr("position", Is::Number(1, LAST), Both, Number(LAST)),
    attr("listener_id", Is::Uuid, Create, Absent),
    attr("rules", Is::Objects(l7rules::ATTRS), Create, Absent),
    attr("tags", Is::Texts(255), Both, Empty),
    attr("redirect_http_code", Is::OneNumber(&[301, 302, 303, 307, 308]), Both, Null),
];
