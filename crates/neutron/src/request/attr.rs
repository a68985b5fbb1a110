//! The attribute table of a resource.

use base::Error;

/// What a value must be; checking also normalizes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string of at most so many characters.
    Text(usize),
    /// A string or null.
    TextOrNull(usize),
    Flag,
    /// An integer (or its digits in a string) within bounds.
    Int(i64, i64),
    IntOrNull(i64, i64),
    Uuid,
    /// `""` counts as null: some clients clear references so.
    UuidOrNull,
    UuidList,
    Address,
    AddressOrNull,
    /// A network in its canonical spelling.
    Cidr,
    Mac,
    OneOf(&'static [&'static str]),
    OneOfOrNull(&'static [&'static str]),
    /// `[{"start": .., "end": ..}]`
    Pools,
    Nameservers,
    /// `[{"destination": .., "nexthop": ..}]`
    Routes,
    /// `[{"subnet_id": .., "ip_address": ..}]`
    FixedIps,
    /// `[{"mac_address": .., "ip_address": ..}]`
    AddressPairs,
    TextList,
    Object,
    ObjectOrNull,
    /// The room checks it, as Neutron has an exception of its own for each mistake.
    Any,
}

/// How a list may be narrowed by an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    No,
    /// By a TEXT column.
    Text(&'static str),
    /// By a BIGINT column holding a number.
    Number(&'static str),
    /// By a BIGINT column holding 0 or 1.
    Flag(&'static str),
    /// By the value in the view.
    View,
    /// The room itself turns it into SQL.
    Room,
}

#[derive(Debug, Clone, Copy)]
pub struct Attr {
    pub name: &'static str,
    pub kind: Kind,
    pub post: bool,
    pub put: bool,
    pub required: bool,
    /// Only an admin may set it.
    pub admin: bool,
    pub filter: Filter,
    pub sort: bool,
}

/// A read-only attribute that is neither filter nor sort key; the methods add to that.
pub const fn attr(name: &'static str, kind: Kind) -> Attr {
    Attr {
        name,
        kind,
        post: false,
        put: false,
        required: false,
        admin: false,
        filter: Filter::No,
        sort: false,
    }
}

impl Attr {
    pub const fn post(mut self) -> Self {
        self.post = true;
        self
    }

    pub const fn put(mut self) -> Self {
        self.put = true;
        self
    }

    pub const fn both(self) -> Self {
        self.post().put()
    }

    pub const fn required(mut self) -> Self {
        self.post = true;
        self.required = true;
        self
    }

    pub const fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// Filter, and sort key.
    pub const fn by(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self.sort = true;
        self
    }

    /// Filter only.
    pub const fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }
}

/// A resource.
pub struct Spec {
    /// `network`
    pub member: &'static str,
    /// `networks`
    pub collection: &'static str,
    /// The table of its rows.
    pub table: &'static str,
    pub attrs: &'static [Attr],
    /// Whether a POST may hold several.
    pub bulk: bool,
    /// No name and no tags.
    pub plain: bool,
    pub not_found: fn(&str) -> Error,
}

const OWNER: Kind = Kind::Text(255);

/// What every resource has.
const STANDARD: &[Attr] = &[
    attr("id", Kind::Uuid).by(Filter::Text("id")),
    attr("project_id", OWNER).post().by(Filter::Text("project_id")),
    attr("tenant_id", OWNER).post().by(Filter::Text("project_id")),
    attr("description", Kind::Text(255)).both().by(Filter::Text("description")),
    attr("created_at", OWNER).by(Filter::View),
    attr("updated_at", OWNER).by(Filter::View),
    attr("revision_number", OWNER).by(Filter::Number("revision")),
];

const NAMED: &[Attr] =
    &[attr("name", Kind::Text(255)).both().by(Filter::Text("name")), attr("tags", Kind::TextList)];

impl Spec {
    pub fn attr(&self, name: &str) -> Option<&'static Attr> {
        let named: &'static [Attr] = if self.plain { &[] } else { NAMED };
        self.attrs.iter().chain(named).chain(STANDARD).find(|a| a.name == name)
    }
}
