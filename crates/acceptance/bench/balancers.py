"""Load balancers: how long one takes to be ACTIVE, what passes through it against the same HAProxy by hand in the same
namespace, and the memory of many.

Namespaces with veth pairs are in the guests' place. One asks with wrk, another answers with an HAProxy that returns a
short text; data are sent by one TCP connection. Ours and the one by hand take turns.
"""

import glob
import json
import os
import statistics
import subprocess
import sys
import time

import openstack

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
MANY = int(os.environ.get("BENCH_BALANCERS", "200"))
NAMESPACES, PROCESSES = [], []
PUMP = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
chunk, total, begin = bytes(1 << 17), 0, time.monotonic()
while time.monotonic() < begin + float(sys.argv[3]):
    total += connection.send(chunk)
print(total * 8 / (time.monotonic() - begin) / 1e9)
"""
DRAIN = """
import socket, threading
listener = socket.create_server(("", 5001))
def drain(connection):
    buffer = bytearray(1 << 20)
    while connection.recv_into(buffer):
        pass
while True:
    threading.Thread(target=drain, args=(listener.accept()[0],), daemon=True).start()
"""
ANSWERS = """
defaults
    mode http
    timeout client 50s
frontend answers
    bind :80
    http-request return status 200 content-type text/plain string hello
"""
BY_HAND = """
global
    nbthread 1
    maxconn 4000
defaults
    timeout client 50s
    timeout server 50s
    timeout connect 5s
frontend http
    bind {vip}:8080
    mode http
    default_backend http
backend http
    mode http
    balance roundrobin
    server one {member}:80 weight 1
frontend data
    bind {vip}:8081
    mode tcp
    default_backend data
backend data
    mode tcp
    server one {member}:5001 weight 1
"""


def run(*words):
    subprocess.run(words, check=True)


def inside(namespace, *words, **more):
    return subprocess.Popen(("ip", "netns", "exec", namespace, *words), **more)


def guest(name, outside, port, mtu):
    """A namespace on the network's bridge, by the port's own link."""
    run("ip", "netns", "add", name)
    NAMESPACES.append(name)
    link, address = f"tap{port.id[:11]}", port.fixed_ips[0]["ip_address"]
    run("ip", "-n", outside, "link", "add", link, "mtu", str(mtu), "type", "veth",
        "peer", "name", "eth0", "address", port.mac_address, "mtu", str(mtu), "netns", name)
    run("ip", "-n", outside, "link", "set", link, "master", "br0", "up")
    for end in ("eth0", "lo"):
        run("ip", "-n", name, "link", "set", end, "up")
    run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
    return address


def ready(lb, balancer, patience=60):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = lb.get_load_balancer(balancer.id)
        if found.provisioning_status == "ACTIVE":
            return found
        time.sleep(0.005)
    sys.exit(f"load balancer {balancer.id} is {found.provisioning_status}")


def haproxies():
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"haproxy") and any(b"/balancers/" in word for word in words):
            found.append(path.split("/")[2])
    return found


def pss(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            continue
    return total / 1024


def tell(**row):
    print(json.dumps(row), flush=True)


def until_it_takes(client, target, patience=30):
    """Somebody listens there."""
    address, _, port = target.partition(":")
    words = [sys.executable, "-c", f"import socket; socket.create_connection(('{address}', {port or 80}), 2)"]
    end = time.monotonic() + patience
    while inside(client, *words, stderr=subprocess.DEVNULL).wait():
        if time.monotonic() > end:
            sys.exit(f"nobody listens at {target}")
        time.sleep(0.1)


def rate(client, target):
    said = inside(client, "wrk", "-t", "1", "-c", "32", "-d", f"{SECONDS}s", f"http://{target}/", stdout=subprocess.PIPE, text=True)
    text = said.communicate()[0]
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Requests/sec")))


def flow(client, address, port):
    words = [sys.executable, "-c", PUMP, address, str(port), str(SECONDS)]
    return float(inside(client, *words, stdout=subprocess.PIPE, text=True).communicate()[0])


def compared(what, unit, measure):
    ours, hand = [], []
    for _ in range(ROUNDS):
        hand.append(measure(True))
        ours.append(measure(False))
    share = statistics.median(ours) / statistics.median(hand)
    tell(row=what, by_hand=round(statistics.median(hand), 2), ours=round(statistics.median(ours), 2), unit=unit, share=round(share, 3))


def through(cloud, subnet, network, work):
    lb = cloud.load_balancer
    mtu, outside = network.mtu, next(n for n in os.listdir("/run/netns") if network.id[:8] in n and "-n-" in n)
    group = next(cloud.network.security_groups(name="default", project_id=cloud.current_project_id))
    cloud.network.create_security_group_rule(security_group_id=group.id, direction="ingress", ether_type="IPv4")
    ports = [
        cloud.network.create_port(network_id=network.id, device_owner="compute:nova", device_id=f"bench-{name}", name=name)
        for name in ("client", "member")
    ]
    time.sleep(1)
    guest("bench-client", outside, ports[0], mtu)
    member = guest("bench-member", outside, ports[1], mtu)
    answers = f"{work}/answers.cfg"
    with open(answers, "w") as file:
        file.write(ANSWERS)
    PROCESSES.append(inside("bench-member", "haproxy", "-db", "-f", answers, stderr=subprocess.DEVNULL))
    PROCESSES.append(inside("bench-member", sys.executable, "-c", DRAIN))
    pool = lambda name, protocol, port: {
        "name": name, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": [{"address": member, "protocol_port": port}],
    }
    listeners = [
        {"name": "http", "protocol": "HTTP", "protocol_port": 80, "default_pool": pool("http", "HTTP", 80)},
        {"name": "data", "protocol": "TCP", "protocol_port": 81, "default_pool": pool("data", "TCP", 5001)},
    ]
    balancer = ready(lb, lb.create_load_balancer(name="bench", vip_subnet_id=subnet.id, listeners=listeners))
    own = next(n for n in os.listdir("/run/netns") if balancer.id[:8] in n and "-b-" in n)
    hand = f"{work}/hand.cfg"
    with open(hand, "w") as file:
        file.write(BY_HAND.format(vip=balancer.vip_address, member=member))
    PROCESSES.append(inside(own, "haproxy", "-db", "-f", hand, stderr=subprocess.DEVNULL))
    run("ip", "netns", "exec", own, "nft", "insert", "rule", "inet", "cumulet", "input", "tcp", "dport", "8080-8081", "accept")
    vip = balancer.vip_address
    for target in (vip, f"{vip}:8080", f"{vip}:81", f"{vip}:8081"):
        until_it_takes("bench-client", target)
    compared("HTTP requests, 32 connections kept open", "1/s", lambda hand: rate("bench-client", f"{vip}:8080" if hand else vip))
    compared("one TCP connection", "Gbit/s", lambda hand: flow("bench-client", vip, 8081 if hand else 81))
    lb.delete_load_balancer(balancer.id, cascade=True)


def many(cloud, subnet):
    lb, took, made = cloud.load_balancer, [], []
    daemon = json.loads(subprocess.run(["cumulet", "status", "--json"], capture_output=True, text=True, check=True).stdout)["pid"]
    before = pss([daemon])
    for number in range(MANY):
        pool = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": [{"address": "10.9.0.9", "protocol_port": 80}]}
        listener = {"protocol": "HTTP", "protocol_port": 80, "default_pool": pool}
        begin = time.monotonic()
        balancer = lb.create_load_balancer(name=f"b{number}", vip_subnet_id=subnet.id, listeners=[listener])
        ready(lb, balancer)
        took.append((time.monotonic() - begin) * 1000)
        made.append(balancer)
    took.sort()
    tell(row=f"create to ACTIVE, {MANY} load balancers with a listener and a pool, one after the other",
         ms_p50=round(took[len(took) // 2]), ms_p99=round(took[len(took) * 99 // 100]))
    running = haproxies()
    tell(row=f"memory of {len(running)} load balancers", haproxy_mib=round(pss(running)), daemon_mib_more=round(pss([daemon]) - before))
    for balancer in made:
        lb.delete_load_balancer(balancer.id, cascade=True)


def main():
    cloud, work = openstack.connect(), os.environ["HOME"]
    tell(row="load of the machine before", load=os.getloadavg()[0])
    network = cloud.network.create_network(name="bench-balancers")
    subnet = cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.9.0.0/23", gateway_ip="10.9.0.1")
    try:
        through(cloud, subnet, network, work)
        many(cloud, subnet)
    finally:
        for process in PROCESSES:
            process.kill()
        for name in NAMESPACES:
            run("ip", "netns", "del", name)


if __name__ == "__main__":
    main()
