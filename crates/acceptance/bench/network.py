"""Traffic between two guests, on one network and through a router, against the same links and bridges by hand.

Namespaces are in the guests' place. What joins them to the network is a tap named like the guest's, whose frames a process
carries over as QEMU does (whole segments, checksums left open), or a veth pair, which has no such cost and shows that of the
rules alone. One TCP connection, both directions, by hand and by the cloud in turn. By hand there are a bridge (and a
forwarding namespace), and no rules at all.
"""

import ctypes
import errno
import fcntl
import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import time

import openstack

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
KIND = sys.argv[1] if len(sys.argv) > 1 else "tap"
CARRIERS, NAMESPACES = [], []
PUMP = """
import socket, sys, time
peer, seconds = sys.argv[1], float(sys.argv[2])
connection = socket.create_connection((peer, 5001))
chunk, end = bytes(1 << 17), time.monotonic() + seconds
while time.monotonic() < end:
    connection.sendall(chunk)
"""
DRAIN = """
import socket, time
listener = socket.create_server(("", 5001))
print("ready", flush=True)
connection, _ = listener.accept()
buffer, total, begin = bytearray(1 << 20), 0, time.monotonic()
while (length := connection.recv_into(buffer)):
    total += length
print(total * 8 / (time.monotonic() - begin) / 1e9)
"""


# Of <linux/if_tun.h>.
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
CLONE_NEWNET = 0x40000000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04


def run(*words):
    subprocess.run(words, check=True)


def namespace(name):
    run("ip", "netns", "add", name)
    NAMESPACES.append(name)


def enter(there):
    if ctypes.CDLL(None, use_errno=True).setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def tap(inside, name):
    """A new tap's file. The calling process is in that namespace for a moment."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{inside}", os.O_RDONLY)
    enter(there)
    try:
        end = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        fcntl.ioctl(end, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
        return end
    finally:
        enter(home)
        os.close(home)
        os.close(there)


def carry(here, there):
    """A process that carries frames one way until it is ended."""
    process = os.fork()
    if process:
        CARRIERS.append(process)
        return
    while True:
        try:
            os.write(there, os.read(here, 1 << 17))
        except OSError as error:
            # An end that is not up yet, or a frame that it does not take.
            if error.errno not in (errno.EIO, errno.EINVAL):
                os._exit(1)


def guest(name, outside, link, mac, address, gateway, mtu):
    """A namespace whose eth0 is joined to `link` in the namespace `outside`, on its bridge br0."""
    namespace(name)
    if KIND == "veth":
        run("ip", "-n", outside, "link", "add", link, "mtu", str(mtu), "type", "veth",
            "peer", "name", "eth0", "address", mac, "mtu", str(mtu), "netns", name)
    else:
        ends = tap(outside, link), tap(name, "eth0")
        run("ip", "-n", outside, "link", "set", link, "mtu", str(mtu))
        run("ip", "-n", name, "link", "set", "eth0", "mtu", str(mtu), "address", mac)
        for here, there in (ends, ends[::-1]):
            carry(here, there)
    run("ip", "-n", outside, "link", "set", link, "master", "br0", "up")
    run("ip", "-n", name, "link", "set", "eth0", "up")
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
    run("ip", "-n", name, "route", "add", "default", "via", gateway)


def by_hand(mtu):
    for network in ("hand-one", "hand-two", "hand-router"):
        namespace(network)
    for number, network in ((1, "hand-one"), (2, "hand-two")):
        run("ip", "-n", network, "link", "add", "br0", "mtu", str(mtu), "type", "bridge")
        run("ip", "-n", network, "link", "set", "br0", "up")
        run("ip", "-n", "hand-router", "link", "add", f"eth{number}", "mtu", str(mtu), "type", "veth",
            "peer", "name", "router", "mtu", str(mtu), "netns", network)
        run("ip", "-n", network, "link", "set", "router", "master", "br0", "up")
        run("ip", "-n", "hand-router", "link", "set", f"eth{number}", "up")
        run("ip", "-n", "hand-router", "address", "add", f"10.5{number}.0.1/24", "dev", f"eth{number}")
    run("ip", "netns", "exec", "hand-router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    for name, network, number, last in (("ha", "one", 1, 11), ("hb", "one", 1, 12), ("hc", "two", 2, 13)):
        guest(name, f"hand-{network}", f"tap{name}", f"02:00:00:00:00:{last}", f"10.5{number}.0.{last}",
              f"10.5{number}.0.1", mtu)
    return {"ha": "10.51.0.11", "hb": "10.51.0.12", "hc": "10.52.0.13"}


def by_cloud(cloud):
    """As Nova does it: ports that belong to machines. Their group lets each other in."""
    ports, router = {}, cloud.network.create_router(name="bench")
    networks = []
    for number in (1, 2):
        network = cloud.network.create_network(name=f"bench-{number}")
        subnet = cloud.network.create_subnet(
            network_id=network.id, ip_version=4, cidr=f"10.6{number}.0.0/24", name=f"bench-{number}")
        cloud.network.add_interface_to_router(router, subnet_id=subnet.id)
        networks.append(network)
    for name, network in (("ca", networks[0]), ("cb", networks[0]), ("cc", networks[1])):
        ports[name] = cloud.network.create_port(
            network_id=network.id, device_owner="compute:nova", device_id=f"bench-{name}", name=name)
    spaces = lambda: subprocess.check_output(["ip", "netns", "list"], text=True)
    for name, port in ports.items():
        inside = f"-n-{port.network_id[:11]}"
        while inside not in spaces():
            time.sleep(0.05)
        outside = next(line.split()[0] for line in spaces().splitlines() if inside in line)
        address = port.fixed_ips[0]["ip_address"]
        gateway = address.rsplit(".", 1)[0] + ".1"
        guest(name, outside, f"tap{port.id[:11]}", port.mac_address, address, gateway, networks[0].mtu)
    time.sleep(2)
    return {name: port.fixed_ips[0]["ip_address"] for name, port in ports.items()}, networks[0].mtu


def gigabits(sender, receiver, address):
    drain = subprocess.Popen(
        ["ip", "netns", "exec", receiver, "python3", "-c", DRAIN], stdout=subprocess.PIPE, text=True)
    drain.stdout.readline()
    run("ip", "netns", "exec", sender, "python3", "-c", PUMP, address, str(SECONDS))
    return float(drain.stdout.readline())


def main():
    cloud = openstack.connect()
    addresses, mtu = by_cloud(cloud)
    addresses |= by_hand(mtu)
    for what, first, second in (("one network", "a", "b"), ("through a router", "a", "c")):
        figures = {"h": [], "c": []}
        for number in range(ROUNDS):
            # Who is first changes, and so does the direction.
            for side in ("hc", "ch")[number % 2]:
                pair = (side + first, side + second)
                for sender, receiver in (pair, pair[::-1]):
                    figures[side].append(gigabits(sender, receiver, addresses[receiver]))
        hand, ours = statistics.median(figures["h"]), statistics.median(figures["c"])
        print(json.dumps({
            "row": f"traffic between two guests by {KIND}s, {what}", "by_hand_gbit_s": round(hand, 2),
            "gbit_s": round(ours, 2), "of_by_hand": round(ours / hand, 3), "mtu": mtu,
        }), flush=True)


try:
    main()
finally:
    for process in CARRIERS:
        os.kill(process, signal.SIGTERM)
    for name in NAMESPACES:
        run("ip", "netns", "delete", name)
