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
    /// 4 or 6.
    IpVersion,
    Uuid,
    /// `""` counts as null: some clients clear references so.
    UuidOrNull,
    UuidList,
    Address,
    AddressOrNull,
    /// A network in its canonical spelling.
    Cidr,
    CidrOrNull,
    CidrList,
    Mac,
    MacOrNull,
    /// A host name, or its first labels; kept in small letters.
    DnsName,
    /// A domain with its dot at the end, or ''.
    DnsDomain,
    /// `[{"opt_name": .., "opt_value": .., "ip_version": ..}]`
    DhcpOptions,
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
    /// Only a manager or an admin may set it.
    pub manager: bool,
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
        manager: false,
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

    pub const fn manager(mut self) -> Self {
        self.manager = true;
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

/// How much of what Neutron's resources have in common this one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Full,
    /// No name and no tags.
    Unnamed,
    /// An id and an owner.
    Bare,
    /// An id.
    Nobodys,
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
    pub extent: Extent,
    pub not_found: fn(&str) -> Error,
}

const OWNER: Kind = Kind::Text(255);

/// What every resource has.
const BARE: &[Attr] = &[
    attr("project_id", OWNER).post().by(Filter::Text("project_id")),
    attr("tenant_id", OWNER).post().by(Filter::Text("project_id")),
    attr("id", Kind::Uuid).by(Filter::Text("id")),
];

const STANDARD: &[Attr] = &[
    attr("description", Kind::Text(255)).both().by(Filter::Text("description")),
    attr("created_at", OWNER).by(Filter::View),
    attr("updated_at", OWNER).by(Filter::View),
    attr("revision_number", OWNER).by(Filter::Number("revision")),
];

/// Tags may be given at creation (`tag-creation`); afterwards they have calls of their own.
const NAMED: &[Attr] =
    &[attr("name", Kind::Text(255)).both().by(Filter::Text("name")), attr("tags", Kind::TextList).post()];

impl Spec {
    /// The column that a list is sorted by for a sort key, if SQL can do it.
    pub fn column(&self, key: &str) -> Option<&'static str> {
        match (self.attr(key)?.filter, key) {
            (Filter::Text(column) | Filter::Number(column) | Filter::Flag(column), _) => Some(column),
            (_, "created_at") => Some("created_at"),
            (_, "updated_at") if matches!(self.extent, Extent::Full | Extent::Unnamed) => Some("updated_at"),
            _ => None,
        }
    }

    pub fn attr(&self, name: &str) -> Option<&'static Attr> {
        let (standard, named): (&'static [Attr], &'static [Attr]) = match self.extent {
            Extent::Full => (STANDARD, NAMED),
            Extent::Unnamed => (STANDARD, &[]),
            Extent::Bare | Extent::Nobodys => (&[], &[]),
        };
        let (owned, id) = BARE.split_at(2);
        let owned = if self.extent == Extent::Nobodys { &[] } else { owned };
        self.attrs.iter().chain(named).chain(standard).chain(owned).chain(id).find(|a| a.name == name)
    }

    pub fn has_tags(&self) -> bool {
        self.extent == Extent::Full
    }
}
