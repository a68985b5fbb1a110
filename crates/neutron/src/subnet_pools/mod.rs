//! Subnet pools: prefixes that subnets are cut from, no two alike.

pub mod api;
pub mod rules;
pub mod store;
pub mod view;

use base::Error;
use db::{FromRow, Row};
use ipnet::IpNet;

use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::{self, Columns};
use crate::standard::Standard;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubnetPool {
    pub standard: Standard,
    pub ip_version: i64,
    pub prefixes: Vec<IpNet>,
    pub default_prefixlen: i64,
    pub min_prefixlen: i64,
    pub max_prefixlen: i64,
    /// What one project may take: addresses of IPv4, /64s of IPv6.
    pub default_quota: Option<i64>,
    /// '' for none.
    pub address_scope_id: String,
    pub is_default: bool,
    pub shared: bool,
}

impl FromRow for SubnetPool {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(SubnetPool {
            standard: Standard::read(row)?,
            ip_version: row.int("ip_version")?,
            prefixes: row.json("prefixes")?,
            default_prefixlen: row.int("default_prefixlen")?,
            min_prefixlen: row.int("min_prefixlen")?,
            max_prefixlen: row.int("max_prefixlen")?,
            default_quota: row.opt_int("default_quota")?,
            address_scope_id: row.text("address_scope_id")?,
            is_default: row.bool("is_default")?,
            shared: row.bool("shared")?,
        })
    }
}

/// How much of the first start's pool a subnet gets that does not say.
const DEFAULT_LENGTH: i64 = 26;

impl SubnetPool {
    /// The one that everybody's subnets come from by default.
    pub fn default_of(owner: &str, prefix: IpNet) -> Self {
        let (version, bits) = if prefix.addr().is_ipv4() { (4, 32) } else { (6, 128) };
        SubnetPool {
            standard: Standard::new(owner, &format!("shared-default-subnetpool-v{version}"), ""),
            ip_version: version,
            prefixes: vec![prefix.trunc()],
            default_prefixlen: DEFAULT_LENGTH,
            min_prefixlen: 8,
            max_prefixlen: bits,
            is_default: true,
            shared: true,
            ..SubnetPool::default()
        }
    }

    fn all_columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([
            ("ip_version", self.ip_version.into()),
            ("prefixes", rows::json(&self.prefixes)),
            ("default_prefixlen", self.default_prefixlen.into()),
            ("min_prefixlen", self.min_prefixlen.into()),
            ("max_prefixlen", self.max_prefixlen.into()),
            ("default_quota", self.default_quota.into()),
            ("address_scope_id", (&self.address_scope_id).into()),
            ("is_default", self.is_default.into()),
            ("shared", self.shared.into()),
        ]);
        columns
    }
}

const ATTRS: &[Attr] = &[
    attr("prefixes", Kind::CidrList).required().put(),
    attr("default_quota", Kind::IntOrNull(0, i64::MAX)).both().by(Filter::Number("default_quota")),
    attr("ip_version", Kind::IpVersion).by(Filter::Number("ip_version")),
    attr("default_prefixlen", Kind::Int(0, i64::MAX)).both().by(Filter::Number("default_prefixlen")),
    attr("min_prefixlen", Kind::Int(0, i64::MAX)).both().by(Filter::Number("min_prefixlen")),
    attr("max_prefixlen", Kind::Int(0, i64::MAX)).both().by(Filter::Number("max_prefixlen")),
    attr("is_default", Kind::Flag).both().admin().by(Filter::Flag("is_default")),
    attr("shared", Kind::Flag).post().admin().by(Filter::View),
    attr("address_scope_id", Kind::UuidOrNull).both().by(Filter::Text("address_scope_id")),
];

pub const SPEC: Spec = Spec {
    member: "subnetpool",
    collection: "subnetpools",
    table: "subnet_pool",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found,
};

fn not_found(id: &str) -> Error {
    Error::not_found(format!("Subnet pool {id} could not be found.")).code("SubnetPoolNotFound")
}

#[cfg(test)]
mod tests;
