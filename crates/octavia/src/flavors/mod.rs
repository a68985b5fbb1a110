//! What an operator offers: flavors and availability zones, each with a profile that says what its provider makes of it.
//! They are alike, so one table and one set of handlers serves all four.

pub mod api;
pub mod rules;
pub mod store;

use db::{FromRow, Row};
use serde_json::{Map, Value};

use crate::policy::{self, Set};
use crate::request::Else::{Flag, Null, Text};
use crate::request::When::{Both, Needed, Required};
use crate::request::{Attr, Fields, Is, attr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Flavor,
    FlavorProfile,
    Zone,
    ZoneProfile,
}

const FLAVOR: &[Attr] = &[
    attr("name", Is::Text(255), Needed, Null),
    attr("description", Is::Text(255), Both, Text("")),
    attr("enabled", Is::Flag, Both, Flag(true)),
    attr("flavor_profile_id", Is::Uuid, Required, Null),
];

const FLAVOR_PROFILE: &[Attr] = &[
    attr("name", Is::Text(255), Needed, Null),
    attr("provider_name", Is::Text(255), Needed, Null),
    attr("flavor_data", Is::Text(4096), Needed, Null),
];

const ZONE: &[Attr] = &[
    attr("name", Is::Text(255), Required, Null),
    attr("description", Is::Text(255), Both, Text("")),
    attr("enabled", Is::Flag, Both, Flag(true)),
    attr("availability_zone_profile_id", Is::Uuid, Required, Null),
];

const ZONE_PROFILE: &[Attr] = &[
    attr("name", Is::Text(255), Needed, Null),
    attr("provider_name", Is::Text(255), Needed, Null),
    attr("availability_zone_data", Is::Text(4096), Needed, Null),
];

impl Offer {
    pub fn attrs(self) -> &'static [Attr] {
        match self {
            Offer::Flavor => FLAVOR,
            Offer::FlavorProfile => FLAVOR_PROFILE,
            Offer::Zone => ZONE,
            Offer::ZoneProfile => ZONE_PROFILE,
        }
    }

    pub fn member(self) -> &'static str {
        match self {
            Offer::Flavor => "flavor",
            Offer::FlavorProfile => "flavorprofile",
            Offer::Zone => "availability_zone",
            Offer::ZoneProfile => "availability_zone_profile",
        }
    }

    pub fn collection(self) -> &'static str {
        match self {
            Offer::Flavor => "flavors",
            Offer::FlavorProfile => "flavorprofiles",
            Offer::Zone => "availability_zones",
            Offer::ZoneProfile => "availability_zone_profiles",
        }
    }

    /// As messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Offer::Flavor => "Flavor",
            Offer::FlavorProfile => "Flavor profile",
            Offer::Zone => "Availability Zone",
            Offer::ZoneProfile => "Availability Zone Profile",
        }
    }

    pub fn policies(self) -> &'static Set {
        match self {
            Offer::Flavor => &policy::FLAVOR,
            Offer::FlavorProfile => &policy::FLAVOR_PROFILE,
            Offer::Zone => &policy::ZONE,
            Offer::ZoneProfile => &policy::ZONE_PROFILE,
        }
    }

    /// What it has of its profile.
    pub fn profile(self) -> Option<(Offer, &'static str)> {
        match self {
            Offer::Flavor => Some((Offer::FlavorProfile, "flavor_profile_id")),
            Offer::Zone => Some((Offer::ZoneProfile, "availability_zone_profile_id")),
            _ => None,
        }
    }

    /// The attribute with the provider's data, of a profile.
    pub fn data(self) -> &'static str {
        if self == Offer::FlavorProfile { "flavor_data" } else { "availability_zone_data" }
    }
}

#[derive(Debug, Clone)]
pub struct Offered {
    /// A zone's name, the others' id.
    pub id: String,
    pub profile_id: String,
    pub fields: Fields,
}

impl FromRow for Offered {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Offered { id: row.text("id")?, profile_id: row.text("profile_id")?, fields: row.json("body")? })
    }
}

impl Offered {
    pub fn view(&self, offer: Offer) -> Map<String, Value> {
        let mut view = self.fields.clone();
        if offer != Offer::Zone {
            view.insert("id".into(), self.id.clone().into());
        }
        view
    }
}
