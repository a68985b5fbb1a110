//! What services want of this machine's load balancers, and what it tells of them: plain data and the trait of drivers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;

use crate::Result;

/// Load balancers. A plan replaces whatever was there for its id; equal plans change nothing, and no change ends a
/// connection that the new plan still allows.
#[async_trait]
pub trait LoadBalancers: Send + Sync + 'static {
    /// The networks of its ports must have been applied.
    async fn apply(&self, plan: &BalancerPlan) -> Result<()>;
    /// Nothing of it is left afterwards.
    async fn remove(&self, id: &str) -> Result<()>;
    /// What became of its members, and its counters.
    async fn observe(&self, plan: &BalancerPlan) -> Result<BalancerView>;
    /// Ids of the load balancers that have something on this host.
    async fn list(&self) -> Result<Vec<String>>;
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct BalancerPlan {
    /// UUID.
    pub id: String,
    pub vip: LinkPlan,
    /// Into the subnets of members that the VIP is not in.
    pub legs: Vec<LinkPlan>,
    pub listeners: Vec<ListenerPlan>,
    pub pools: Vec<PoolPlan>,
}

/// A port of the load balancer: a link in a namespace of its own, on the network's bridge. Clients talk to the VIP's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkPlan {
    pub port_id: String,
    pub network_id: String,
    pub mac: String,
    pub mtu: u32,
    /// With the subnets' prefix lengths; the first one of the VIP's is the VIP itself.
    pub addresses: Vec<IpNet>,
    /// (destination, next hop): the default route and the subnets' host routes.
    pub routes: Vec<(IpNet, IpAddr)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerProtocol {
    Tcp,
    Http,
    /// HTTP inside TLS that ends here.
    TerminatedHttps,
    /// Passed through: what is inside is the members' business.
    Https,
    Udp,
    Sctp,
    /// Counters of the load balancer, for Prometheus.
    Prometheus,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ListenerPlan {
    pub id: String,
    pub protocol: ListenerProtocol,
    pub port: u16,
    /// None: as many as the machine bears.
    pub connection_limit: Option<u32>,
    pub default_pool: Option<String>,
    /// Header names of `insert_headers` that are true.
    pub insert_headers: Vec<String>,
    /// Milliseconds.
    pub timeout_client: u64,
    pub timeout_connect: u64,
    pub timeout_server: u64,
    pub timeout_inspect: u64,
    /// Empty: everybody.
    pub allowed: Vec<IpNet>,
    /// By position. Those that are down are absent.
    pub policies: Vec<PolicyPlan>,
    /// Of those that end it.
    pub tls: Option<TlsPlan>,
    /// The kernel passes packets on by itself, and HAProxy never sees them: UDP, SCTP, and TCP where that is asked for.
    pub forwarded: bool,
}

/// Certificates, keys, authorities: what is in it is shown nowhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pem(Arc<str>);

impl Pem {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Pem(text.into())
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem(..)")
    }
}

/// How TLS is spoken, by listeners to clients and by pools to members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsPlan {
    /// With their keys. A listener shows the first to whoever asks for none of the others' names; a pool has one at most.
    pub certificates: Vec<Pem>,
    /// Who must have signed what the other side shows.
    pub authority: Option<Pem>,
    pub revoked: Option<Pem>,
    pub verify: Verify,
    /// In OpenSSL's words; empty: as HAProxy would.
    pub ciphers: String,
    /// `TLSv1.2` and so on; empty: all.
    pub versions: Vec<String>,
    pub alpn: Vec<String>,
    /// Value of `Strict-Transport-Security`.
    pub strict: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    #[default]
    None,
    Optional,
    Required,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPlan {
    pub id: String,
    pub action: PolicyAction,
    /// All of them must hold.
    pub rules: Vec<RuleMatch>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyAction {
    Reject,
    ToPool(String),
    /// (URL, status)
    ToUrl(String, u16),
    /// (beginning of the URL, status)
    ToPrefix(String, u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMatch {
    /// `HOST_NAME`, `PATH`, `FILE_TYPE`, `HEADER` or `COOKIE`.
    pub kind: String,
    /// `REGEX`, `STARTS_WITH`, `ENDS_WITH`, `CONTAINS` or `EQUAL_TO`.
    pub compare: String,
    pub key: String,
    pub value: String,
    pub invert: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolProtocol {
    Tcp,
    Http,
    Https,
    /// TCP, each connection begun by the PROXY protocol's header.
    Proxy,
    ProxyV2,
    Udp,
    Sctp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    RoundRobin,
    LeastConnections,
    SourceIp,
    SourceIpPort,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Persistence {
    SourceIp,
    /// A cookie of the load balancer's own.
    HttpCookie,
    /// The application's cookie of this name.
    AppCookie(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct PoolPlan {
    pub id: String,
    pub protocol: PoolProtocol,
    pub algorithm: Algorithm,
    pub persistence: Option<Persistence>,
    /// What of a source's address counts, where packets are forwarded; None: all of it.
    pub granularity: Option<IpAddr>,
    /// As its listeners.
    pub forwarded: bool,
    /// Members are spoken to over TLS.
    pub tls: Option<TlsPlan>,
    pub monitor: Option<MonitorPlan>,
    pub members: Vec<MemberPlan>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPlan {
    pub id: String,
    pub address: IpAddr,
    pub port: u16,
    /// 0: no new connections but those that persist.
    pub weight: u16,
    /// Used when no other is up.
    pub backup: bool,
    pub monitor_address: Option<IpAddr>,
    pub monitor_port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorKind {
    Tcp,
    Http,
    Https,
    Ping,
    TlsHello,
    UdpConnect,
    Sctp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MonitorPlan {
    pub kind: MonitorKind,
    /// Seconds.
    pub delay: u32,
    pub timeout: u32,
    pub rise: u32,
    pub fall: u32,
    pub method: String,
    pub path: String,
    /// As in the API: `200`, `200,202`, `200-204`.
    pub expected: String,
    /// `1.0` or `1.1`
    pub http_version: String,
    pub domain: Option<String>,
}

/// What the driver sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BalancerView {
    /// By (pool id, member id); those without a monitor are absent.
    pub members: BTreeMap<(String, String), Health>,
    /// By listener id.
    pub counters: BTreeMap<String, Counters>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Up,
    Down,
    /// Not looked at often enough to say.
    Unknown,
    /// Its weight is zero.
    Draining,
}

/// Since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub active_connections: u64,
    pub total_connections: u64,
    pub request_errors: u64,
}
