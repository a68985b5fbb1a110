//! Members: who does the work.

pub mod api;
pub mod rules;

use crate::request::Else::{Empty, Flag, Null, Number, Text};
use crate::request::When::{Both, Create, Required};
use crate::request::{Attr, Is, attr};

pub const ATTRS: &[Attr] = &[
    attr("name", Is::Text(255), Both, Text("")),
    attr("admin_state_up", Is::Flag, Both, Flag(true)),
    attr("address", Is::Address, Required, Null),
    attr("protocol_port", Is::Number(1, 65535), Required, Null),
    attr("weight", Is::Number(0, 256), Both, Number(1)),
    attr("backup", Is::Flag, Both, Flag(false)),
    attr("subnet_id", Is::Uuid, Create, Null),
    attr("monitor_port", Is::Number(1, 65535), Both, Null),
    attr("monitor_address", Is::Address, Both, Null),
    attr("tags", Is::Texts(255), Both, Empty),
];
