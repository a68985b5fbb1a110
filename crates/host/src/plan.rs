//! What services want of this machine: plain data, no behaviour. Ids are OpenStack's UUIDs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use camino::Utf8PathBuf;
use ipnet::{IpNet, Ipv6Net};

use crate::{LayerFormat, Passphrase, RbdImage};

// ---- virtual machines -------------------------------------------------------------------------------------

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VmPlan {
    /// Server UUID; also the SMBIOS system UUID.
    pub id: String,
    pub name: String,
    pub vcpus: u32,
    pub memory_mib: u64,
    /// None: the machine boots from the first of `disks`, which is then the guest's first disk.
    pub root: Option<RootDisk>,
    /// Booted instead of its own disk.
    pub rescue: Option<RescuePlan>,
    /// Empty disks of the machine's own, gone with it; 0: none.
    pub ephemeral_mib: u64,
    pub swap_mib: u64,
    /// Volumes, in device order.
    pub disks: Vec<DiskPlan>,
    /// In device order.
    pub nics: Vec<NicPlan>,
    /// Path inside the drive -> content. None: no config drive.
    pub config_drive: Option<BTreeMap<String, Vec<u8>>>,
    pub limits: Limits,
    /// Orders to the fake driver, from the server's metadata (see [`crate::fake::HINT_PREFIX`]).
    pub hints: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootDisk {
    /// The image's file; never written. The root disk is an overlay over it or a copy, as the driver thinks best.
    pub image: Utf8PathBuf,
    /// Glance's disk_format: "qcow2" or "raw".
    pub image_format: String,
    pub size_gib: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescuePlan {
    pub disk: RootDisk,
    pub place: RescuePlace,
}

/// Where a machine in rescue finds the disk that it boots from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescuePlace {
    /// Before all others: the root disk is the second one.
    First,
    /// Behind all others, which stay where they were.
    Last(Drive),
}

/// A disk or a CD-ROM, and what it is plugged in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drive {
    pub bus: Bus,
    pub cdrom: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bus {
    /// Disks only.
    #[default]
    Virtio,
    Scsi,
    Usb,
    /// The machine's own controller, which answers guests as IDE's successor. Nothing can be plugged in to it while
    /// the machine runs.
    Sata,
}

/// A disk that was not made for this machine: a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskPlan {
    /// The volume's UUID. The guest sees it as the disk's serial number; of a virtio disk the first 20 characters,
    /// which is all that it has room for.
    pub id: String,
    /// The lowest first. Each stands on the one before it, whatever its header says; the last one is written.
    pub layers: Vec<DiskLayer>,
    /// Some: it is there, and layers are none of QEMU's business.
    pub rbd: Option<RbdImage>,
    /// What opens the encrypted ones among its layers.
    pub key: Option<Passphrase>,
    pub read_only: bool,
    /// Other machines may write it at the same time. Its one layer is raw then.
    pub shared: bool,
    pub bus: Bus,
    pub limits: DiskLimits,
}

impl DiskPlan {
    /// What QEMU has to know to open it.
    pub(crate) fn secret(&self) -> Option<&Passphrase> {
        self.rbd.as_ref().map(|image| &image.key).or(self.key.as_ref())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLayer {
    /// Its name without the extension is no other layer's.
    pub file: Utf8PathBuf,
    pub format: LayerFormat,
    pub encrypted: bool,
}

/// What a guest may do with a disk, a second. None: as much as it can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskLimits {
    pub total_bytes: Option<u64>,
    pub read_bytes: Option<u64>,
    pub write_bytes: Option<u64>,
    /// Requests.
    pub total_iops: Option<u64>,
    pub read_iops: Option<u64>,
    pub write_iops: Option<u64>,
}

impl DiskLimits {
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What the machine's process may use of this one, in the terms of Linux's control groups. None: no limit of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// 1024 is everybody's share.
    pub cpu_shares: Option<u64>,
    /// Microseconds of processor time in each period.
    pub cpu_quota: Option<u64>,
    /// Microseconds.
    pub cpu_period: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicPlan {
    pub port_id: String,
    pub network_id: String,
    /// Lower case, with colons.
    pub mac: String,
    pub mtu: u32,
}

// ---- networks ---------------------------------------------------------------------------------------------

/// One Neutron network: a namespace with one bridge, its ports' taps, a DHCP server, a metadata listener and the
/// security groups' rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkPlan {
    pub id: String,
    pub mtu: u32,
    pub subnets: Vec<SubnetPlan>,
    pub ports: Vec<PortPlan>,
    /// Addresses by group, of every group that the ports' rules refer to: members of security groups, address groups.
    pub groups: BTreeMap<String, Vec<IpNet>>,
    /// The external network only: the link between this machine and the network.
    pub host_link: Option<HostLinkPlan>,
}

/// A veth pair whose host end carries these addresses (the gateway of the external subnets).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLinkPlan {
    pub addresses: Vec<IpNet>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubnetPlan {
    pub id: String,
    pub cidr: IpNet,
    pub gateway: Option<IpAddr>,
    pub dns_nameservers: Vec<IpAddr>,
    /// (destination, next hop)
    pub host_routes: Vec<(IpNet, IpAddr)>,
    /// Address of the network:dhcp port on this subnet when DHCP is enabled.
    pub dhcp_address: Option<IpAddr>,
    /// Seconds.
    pub lease_time: u32,
    /// Domain name handed out, without trailing dot.
    pub dns_domain: String,
    /// What DHCPv6 tells on an IPv6 subnet.
    pub dhcpv6: Dhcpv6,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dhcpv6 {
    #[default]
    Off,
    /// Name servers and the like; machines make their addresses themselves.
    Stateless,
    /// Addresses, too.
    Stateful,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortPlan {
    pub id: String,
    pub mac: String,
    /// (subnet id, address)
    pub fixed_ips: Vec<(String, IpAddr)>,
    pub hostname: String,
    /// Without trailing dot; '' for that of its subnet.
    pub dns_domain: String,
    pub kind: PortKind,
    pub admin_up: bool,
    /// Anti-spoofing and security groups. False: everything passes.
    pub port_security: bool,
    /// Further (MAC, addresses) that the port may use as its own.
    pub allowed_address_pairs: Vec<(String, IpNet)>,
    /// The union of its groups' rules. Replies to allowed connections always pass, but for a stateless port.
    /// Most ports share theirs with many others.
    pub rules: Arc<[RulePlan]>,
    /// Its rules judge every packet by itself: replies pass only where a rule lets them.
    pub stateless: bool,
    pub qos: QosPlan,
    pub dhcp_options: Vec<DhcpOptionPlan>,
    /// Of a trunk's parent: ports whose frames come out of this one's link with a VLAN tag.
    pub subports: Vec<SubportPlan>,
}

/// What DHCP tells this port besides, or instead of what it tells all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpOptionPlan {
    pub ipv6: bool,
    /// As dnsmasq calls it, or its number.
    pub name: String,
    pub value: String,
}

/// A port that shares the link of its trunk's parent. On its own network it is a machine's port like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubportPlan {
    pub port_id: String,
    pub network_id: String,
    /// 1 to 4094.
    pub vlan: u16,
    pub mtu: u32,
}

/// Limits, seen from the machine: ingress is what it receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QosPlan {
    pub ingress: Option<Rate>,
    pub egress: Option<Rate>,
    /// IP packets of a port.
    pub ingress_packets: Option<PacketRate>,
    pub egress_packets: Option<PacketRate>,
    /// Differentiated services code point of what it sends.
    pub dscp: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketRate {
    pub per_second: u64,
    /// 0: as much as is usual for the rate.
    pub burst: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// Kilobits (1000 bits) a second.
    pub kilobits: u32,
    /// Kilobits; 0: as much as is usual for the rate.
    pub burst_kilobits: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PortKind {
    /// A tap, made when its machine starts.
    Vm,
    /// One end of a router's veth pair.
    Router,
    /// An address of the bridge itself (DHCP).
    Dhcp,
    /// Only a reservation (a floating IP, an unbound port).
    #[default]
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Ingress,
    Egress,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RulePlan {
    pub direction: Direction,
    pub ipv6: bool,
    pub protocol: Option<Protocol>,
    /// TCP, UDP, SCTP and other protocols with ports: inclusive range; ICMP: (type, code) with `code` None for all.
    pub ports: Option<(u16, u16)>,
    pub icmp: Option<(u8, Option<u8>)>,
    pub remote: Remote,
}

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remote {
    Any,
    Network(IpNet),
    /// The addresses of this group; nobody when it has none.
    Group(String),
}

/// IP protocol number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protocol(pub u8);

impl Protocol {
    pub const ICMP: Self = Self(1);
    pub const TCP: Self = Self(6);
    pub const UDP: Self = Self(17);
    pub const ICMPV6: Self = Self(58);
    pub const SCTP: Self = Self(132);
}

// ---- routers ----------------------------------------------------------------------------------------------

/// One Neutron router: a namespace with a veth end in each of its networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouterPlan {
    pub id: String,
    pub admin_up: bool,
    pub interfaces: Vec<RouterPort>,
    pub gateway: Option<RouterGateway>,
    pub floating_ips: Vec<FloatingIpPlan>,
    pub forwardings: Vec<ForwardingPlan>,
    /// Extra routes (destination, next hop).
    pub routes: Vec<(IpNet, IpAddr)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouterPort {
    pub port_id: String,
    pub network_id: String,
    pub mac: String,
    pub mtu: u32,
    /// Address with the subnet's prefix length.
    pub addresses: Vec<IpNet>,
    /// What router advertisements say; none are sent when there is nothing.
    pub prefixes: Vec<PrefixPlan>,
}

/// An IPv6 subnet as its router advertises it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixPlan {
    pub prefix: Ipv6Net,
    pub mode: RaMode,
    /// For machines that make their addresses themselves and ask nobody (RFC 8106).
    pub dns: Vec<Ipv6Addr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaMode {
    Slaac,
    /// Addresses as in SLAAC, the rest by DHCPv6.
    Stateless,
    /// All by DHCPv6.
    Stateful,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterGateway {
    pub port: RouterPort,
    /// Default routes.
    pub next_hops: Vec<IpAddr>,
    pub enable_snat: bool,
    /// Of all that has no floating address.
    pub qos: QosPlan,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingIpPlan {
    pub id: String,
    pub floating: Ipv4Addr,
    pub fixed: Ipv4Addr,
    pub qos: QosPlan,
}

/// Ports of a floating address that lead to ports of fixed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardingPlan {
    pub id: String,
    pub floating: Ipv4Addr,
    /// With ports.
    pub protocol: Protocol,
    /// Inclusive; as many as `internal_ports`, or those are one to which all lead.
    pub external_ports: (u16, u16),
    pub internal: Ipv4Addr,
    pub internal_ports: (u16, u16),
}

impl ForwardingPlan {
    /// Where one of `external_ports` leads.
    #[must_use]
    pub fn internal_port(&self, external: u16) -> u16 {
        let offset = external.saturating_sub(self.external_ports.0);
        self.internal_ports.0.saturating_add(offset).min(self.internal_ports.1)
    }
}
