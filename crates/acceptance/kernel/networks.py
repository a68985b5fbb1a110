"""Two guests on two networks through a router: who reaches whom, by which address, and who may pretend to be whom."""

import json

from journey import Journey

j = Journey()
net = j.cloud.network
public = net.find_network("public", ignore_missing=False)


def network(name, third):
    made = net.create_network(name=name)
    v4 = net.create_subnet(network_id=made.id, name=name, ip_version=4, cidr=f"10.0.{third}.0/24")
    v6 = net.create_subnet(
        network_id=made.id, name=f"{name}-6", ip_version=6, cidr=f"fd00:0:0:{third}::/64",
        ipv6_ra_mode="slaac", ipv6_address_mode="slaac",
    )
    return made, v4, v6


router = net.create_router(name="r", external_gateway_info={"network_id": public.id})
left, left_v4, left_v6 = network("left", 1)
right, right_v4, right_v6 = network("right", 2)
subnets = (left_v4, left_v6, right_v4, right_v6)
for subnet in subnets:
    net.add_interface_to_router(router, subnet_id=subnet.id)

# Anybody may ssh to a door; only fellow members may ping or ssh a member.
door = net.create_security_group(name="door")
net.create_security_group_rule(
    security_group_id=door.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22
)
members = net.create_security_group(name="members")
for protocol in ("icmp", "tcp"):
    net.create_security_group_rule(
        security_group_id=members.id, direction="ingress", protocol=protocol, remote_group_id=members.id
    )
net.create_security_group_rule(
    security_group_id=members.id, direction="ingress", ether_type="IPv6", protocol="ipv6-icmp", remote_group_id=members.id
)

j.keypair()
one = j.server("one", [{"uuid": left.id}], wait=False, config_drive=True, metadata={"colour": "blue"})
two = j.server("two", [{"uuid": right.id}], wait=False)
one, two = (j.cloud.compute.wait_for_server(server, interval=0.2, wait=120) for server in (one, two))
port_one, port_two = j.port_of(one, left), j.port_of(two, right)
net.update_port(port_one, security_group_ids=[door.id, members.id])
net.update_port(port_two, security_group_ids=[members.id])


def address(port, version):
    return next(ip["ip_address"] for ip in port.fixed_ips if (":" in ip["ip_address"]) == (version == 6))


address_two = address(port_two, 4)

floating = net.create_ip(floating_network_id=public.id, port_id=port_one.id)
fip = floating.floating_ip_address


def in_one(command, **more):
    return j.guest(fip, command, **more)


def ping(address, options=""):
    return in_one(f"ping -c 1 -W 2 {options} {address}") is not None


j.within(120, "guest one answers ssh at its floating IP", lambda: in_one("hostname") == "one")
j.within(60, "guest one reaches guest two through the router", lambda: ping(address_two))

# IPv6: addresses by router advertisement, and across the router.
j.within(
    60, "the guest has the IPv6 address that the API says",
    lambda: address(port_one, 6) in (in_one("ip -6 addr show dev eth0 scope global") or ""),
)
j.within(60, "guest one reaches guest two by IPv6 through the router", lambda: ping(address(port_two, 6), "-6"))

# Groups.
net.update_port(port_two, security_group_ids=[])
j.within(20, "a guest that left the group is closed to its members", lambda: not ping(address_two))
net.update_port(port_two, security_group_ids=[members.id])
j.within(20, "a guest that joined it is open again", lambda: ping(address_two))

# Metadata and the config drive tell the same.
by_service = in_one("wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json")
by_drive = in_one(
    "sudo mkdir -p /tmp/drive && sudo mount -o ro $(blkid -t LABEL=config-2 -o device || sudo blkid -t LABEL=config-2 -o device)"
    " /tmp/drive && cat /tmp/drive/openstack/latest/meta_data.json && sudo umount /tmp/drive"
)
j.check("the metadata service tells the server's metadata", lambda: json.loads(by_service)["meta"] == {"colour": "blue"})


def agree():
    service, drive = json.loads(by_service), json.loads(by_drive)
    # The password is on the drive alone, and the seed is new at each reading: so it is in Nova.
    own = {"admin_pass", "random_seed"}
    differ = sorted(key for key in (service | drive).keys() - own if service.get(key) != drive.get(key))
    if differ:
        raise ValueError(f"these differ: {differ}")
    return True


j.check("the config drive tells the same", agree)

# The same over IPv6, on the network's link.
BY_IPV6 = "wget -q -T 5 -O - 'http://[fe80::a9fe:a9fe%eth0]/openstack/latest/meta_data.json'"
j.check("metadata by IPv6 is this guest's", lambda: json.loads(in_one(BY_IPV6))["uuid"] == one.id)
AS_ANOTHER = (
    "own=$(ip -6 addr show dev eth0 scope link | awk '/inet6/ {print $2}'); sudo ip addr add fe80::beef/64 dev eth0;"
    " sudo ip addr del $own dev eth0; sleep 3; " + BY_IPV6 + " >/dev/null 2>&1; code=$?; sudo ip addr add $own dev eth0;"
    " sudo ip addr del fe80::beef/64 dev eth0; echo $code"
)
j.check("asked for in another's name it is not told", lambda: in_one(AS_ANOTHER, seconds=40) == "1")
j.within(20, "in its own it is again", lambda: json.loads(in_one(BY_IPV6) or "{}").get("uuid") == one.id)

# Pretending: each forgery is tried and undone by the guest itself, for the ssh session runs over the same card.
FORGE_IP = (
    "sudo ip addr add 10.0.1.200/24 dev eth0; ping -c 2 -W 2 -I 10.0.1.200 {to} >/dev/null 2>&1; code=$?;"
    " sudo ip addr del 10.0.1.200/24 dev eth0; echo $code"
)
FORGE_MAC = (
    "mac=$(cat /sys/class/net/eth0/address); sudo ip link set eth0 address fa:16:3e:00:be:ef;"
    " ping -c 2 -W 2 {to} >/dev/null 2>&1; code=$?; sudo ip link set eth0 address $mac; echo $code"
)
j.check("a forged IP address reaches nobody", lambda: in_one(FORGE_IP.format(to=address_two)) == "1")
j.check("a forged MAC address reaches nobody", lambda: in_one(FORGE_MAC.format(to=address_two)) == "1")
j.within(20, "an honest guest still does", lambda: ping(address_two))

# The floating IP moves.
net.update_port(port_two, security_group_ids=[door.id, members.id])
net.update_ip(floating, port_id=port_two.id)
j.within(120, "the floating IP moves to guest two", lambda: j.guest(fip, "hostname") == "two")
for name, port in (("one", port_one), ("two", port_two), ("one", port_one), ("two", port_two)):
    net.update_ip(floating, port_id=port.id)
    j.check(f"led to guest {name}, the next connection meets it", lambda: j.guest(fip, "hostname") == name)

# One address, two guests: each behind a port of its own.
net.update_ip(floating, port_id=None)
forwardings = [
    net.create_port_forwarding(
        floatingip_id=floating.id, internal_port_id=port.id, internal_ip_address=address(port, 4),
        internal_port=22, external_port=outside, protocol="tcp",
    )
    for outside, port in ((2201, port_one), (2202, port_two))
]
for outside, name in ((2201, "one"), (2202, "two")):
    j.within(60, f"port {outside} is forwarded to guest {name}", lambda: j.guest(fip, "hostname", port=outside) == name)
for forwarding in forwardings:
    net.delete_port_forwarding(forwarding, floating)
j.within(20, "a deleted forwarding forwards no more", lambda: not j.guest(fip, "true", port=2201))

net.delete_ip(floating)
for server in (one, two):
    j.delete_server(server)
for subnet in subnets:
    net.remove_interface_from_router(router, subnet_id=subnet.id)
net.delete_router(router)
for made in (left, right):
    net.delete_network(made)
for group in (door, members):
    net.delete_security_group(group)
j.cloud.compute.delete_keypair("journey")
j.check("nothing is left", lambda: not list(j.cloud.compute.servers()) and [n.name for n in net.networks()] == ["public"])
j.end()
