//! Load balancers: the VIP and all that is behind it.

pub mod api;
pub mod vip;
pub mod whole;

use crate::request::Else::{Absent, Empty, Flag, Null, Text};
use crate::request::When::{Both, Create, Required};
use crate::request::{Attr, Is, attr};
use crate::{listeners, pools};

const ADDITIONAL_VIP: &[Attr] = &[
    attr("subnet_id", Is::Uuid, Required, Null),
    attr("ip_address", Is::Address, Create, Null),
    attr("port_id", Is::Uuid, Create, Null),
];

pub const ATTRS: &[Attr] = &[
    attr("name", Is::Text(255), Both, Text("")),
    attr("description", Is::Text(255), Both, Text("")),
    attr("admin_state_up", Is::Flag, Both, Flag(true)),
    attr("vip_address", Is::Address, Create, Null),
    attr("vip_port_id", Is::Uuid, Create, Null),
    attr("vip_subnet_id", Is::Uuid, Create, Null),
    attr("vip_network_id", Is::Uuid, Create, Null),
    attr("vip_qos_policy_id", Is::Uuid, Both, Null),
    attr("additional_vips", Is::Objects(ADDITIONAL_VIP), Create, Empty),
    attr("listeners", Is::Objects(listeners::ATTRS), Create, Absent),
    attr("pools", Is::Objects(pools::ATTRS), Create, Absent),
    attr("provider", Is::Text(64), Create, Null),
    attr("tags", Is::Texts(255), Both, Empty),
    attr("flavor_id", Is::Uuid, Create, Null),
    attr("availability_zone", Is::Text(255), Create, Null),
];

/// The port is the load balancer's own and goes with it.
pub const OWN_PORT: &str = "_own_port";
