"""Load balancers: how long one takes to be ACTIVE, what passes through it against the same HAProxy by hand in the same
namespace, what its changes cost those who use it, and the memory of many.

Namespaces with veth pairs are in the guests' place. One asks with wrk, another answers with an HAProxy that returns a
short text; data are sent by one TCP connection. Ours and the one by hand take turns, as new processes in each of
BENCH_ROUNDS. BENCH_PARTS chooses among `through`, `changes` and `many`.
"""

import glob
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import openstack

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
MANY = int(os.environ.get("BENCH_BALANCERS", "200"))
CHANGES = int(os.environ.get("BENCH_CHANGES", "20"))
PARTS = os.environ.get("BENCH_PARTS", "through changes many").split()
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
# Connections that rest between two requests, as clients' pools hold them, and one that never ends: a line comes in for
# each round of requests, and the failures go out.
RESTING = """
import http.client, socket, sys
address, resting, failed = sys.argv[1], [], 0
data = socket.create_connection((address, 81))
for _ in range(50):
    resting.append(http.client.HTTPConnection(address, timeout=10))
for line in sys.stdin:
    for connection in resting:
        try:
            was_open = connection.sock is not None
            # Without the module's own second try.
            connection.auto_open = not was_open
            connection.request("GET", "/")
            failed += connection.getresponse().read() != b"hello"
        except (OSError, http.client.HTTPException):
            failed += 1
            connection.close()
            connection.auto_open = 1
    try:
        data.sendall(b"x" * 1000)
    except OSError:
        failed += 1
    print(failed, flush=True)
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
    option splice-request
    option splice-response
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


def memory(pids, kind="Pss"):
    """MiB. Pss shares out what several processes have in common, Rss counts it for each."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith(f"{kind}:"))
        except OSError:
            continue
    return total / 1024


def daemon_pid():
    return json.loads(subprocess.run(["cumulet", "status", "--json"], capture_output=True, text=True, check=True).stdout)["pid"]


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


def wrk(target, *words, seconds=SECONDS):
    words = ["wrk", "-t", "1", "-c", "32", "-d", f"{seconds}s", *words, f"http://{target}/"]
    return inside("bench-client", *words, stdout=subprocess.PIPE, text=True)


def rate(target, *words):
    text = wrk(target, *words).communicate()[0]
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Requests/sec")))


def flow(client, address, port):
    words = [sys.executable, "-c", PUMP, address, str(port), str(SECONDS)]
    return float(inside(client, *words, stdout=subprocess.PIPE, text=True).communicate()[0])


def served(cloud, subnet, network, work):
    """A load balancer with two listeners, its member, who asks it, and the configuration of an HAProxy by hand."""
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
    PROCESSES.append(inside("bench-member", sys.executable, "-c", DRAIN, stderr=subprocess.DEVNULL))
    pool = lambda name, protocol, port: {
        "name": name, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": [{"address": member, "protocol_port": port}],
    }
    listeners = [
        {"name": "http", "protocol": "HTTP", "protocol_port": 80, "default_pool": pool("http", "HTTP", 80)},
        {"name": "data", "protocol": "TCP", "protocol_port": 81, "default_pool": pool("data", "TCP", 5001)},
    ]
    balancer = ready(lb, lb.create_load_balancer(name="bench", vip_subnet_id=subnet.id, listeners=listeners))
    with open(f"{work}/hand.cfg", "w") as file:
        file.write(BY_HAND.format(vip=balancer.vip_address, member=member))
    for port in (80, 81):
        until_it_takes("bench-client", f"{balancer.vip_address}:{port}")
    return balancer


def anew(cloud, balancer, number, work):
    """Both HAProxies as new processes, so that no round has the luck of the one before."""
    lb, vip = cloud.load_balancer, balancer.vip_address
    own = next(n for n in os.listdir("/run/netns") if balancer.id[:8] in n and "-b-" in n)
    pool = next(pool for pool in lb.pools(loadbalancer_id=balancer.id) if pool.name == "http")
    lb.update_member(next(lb.members(pool)), pool, weight=2 + number)
    ready(lb, balancer)
    # In a session of its own, as ours is: the kernel shares processors out among sessions.
    words = ("haproxy", "-db", "-f", f"{work}/hand.cfg")
    by_hand = inside(own, *words, stderr=subprocess.DEVNULL, start_new_session=True)
    PROCESSES.append(by_hand)
    # The namespace is the cloud's, which takes a rule that it does not know away: it sleeps, and serves all the same.
    os.kill(daemon_pid(), signal.SIGSTOP)
    rule = ("tcp", "dport", "8080-8081", "accept")
    run("ip", "netns", "exec", own, "nft", "insert", "rule", "inet", "cumulet", "input", *rule)
    for port in (80, 81, 8080, 8081):
        until_it_takes("bench-client", f"{vip}:{port}")
    return by_hand


def through(cloud, balancer, work):
    vip, daemon = balancer.vip_address, daemon_pid()
    http = lambda hand: f"{vip}:8080" if hand else vip
    close = ("-H", "Connection: close")
    rows = {
        ("HTTP requests, 32 connections kept open", "1/s"): lambda hand: rate(http(hand)),
        ("HTTP requests, 32 at a time, a connection each", "1/s"): lambda hand: rate(http(hand), *close),
        ("one TCP connection", "Gbit/s"): lambda hand: flow("bench-client", vip, 8081 if hand else 81),
    }
    seen = {row: {True: [], False: []} for row in rows}
    for number in range(ROUNDS):
        try:
            by_hand = anew(cloud, balancer, number, work)
            for row, measure in rows.items():
                # Whoever comes second finds the machine as the first has left it.
                for is_hand in ((True, False), (False, True))[number % 2]:
                    seen[row][is_hand].append(measure(is_hand))
        finally:
            os.kill(daemon, signal.SIGCONT)
        by_hand.kill()
        by_hand.wait()
    for (what, unit), speeds in seen.items():
        hand, ours = (statistics.median(speeds[is_hand]) for is_hand in (True, False))
        shares = sorted(o / h for o, h in zip(speeds[False], speeds[True]))
        tell(row=what, by_hand=round(hand, 2), ours=round(ours, 2), unit=unit, share=round(ours / hand, 3),
             shares_of_rounds=[round(share, 2) for share in shares])


def changes(cloud, balancer):
    """What those who use a load balancer see of its changes, each of which starts a process anew."""
    lb, vip = cloud.load_balancer, balancer.vip_address
    pool = next(pool for pool in lb.pools(loadbalancer_id=balancer.id) if pool.name == "http")
    member = next(lb.members(pool))
    resting = inside("bench-client", sys.executable, "-c", RESTING, vip, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    PROCESSES.append(resting)

    def asked():
        resting.stdin.write("\n")
        resting.stdin.flush()
        return int(resting.stdout.readline())

    asked()
    seconds = max(10, CHANGES // 2)
    load = [wrk(vip, seconds=seconds), wrk(vip, "-H", "Connection: close", seconds=seconds)]
    took = []
    for number in range(CHANGES):
        begin = time.monotonic()
        lb.update_member(member, pool, weight=2 + number)
        ready(lb, balancer)
        took.append((time.monotonic() - begin) * 1000)
        failed = asked()
    took.sort()
    tell(row=f"a change under load, {CHANGES} of them", ms_p50=round(took[len(took) // 2]), ms_max=round(took[-1]))
    tell(row=f"50 resting connections and one of data over {CHANGES} changes", failed=failed)
    for what, running in zip(("connections kept open", "a connection each"), load):
        lines = running.communicate()[0].splitlines()
        requests = next(line.split()[0] for line in lines if " requests in " in line)
        errors = [line.strip() for line in lines if "Socket errors" in line or "Non-2xx" in line]
        tell(row=f"requests over {CHANGES} changes, 32 at a time, {what}", requests=int(requests), failed=errors or 0)


def many(cloud, subnet):
    lb, took, made = cloud.load_balancer, [], []
    daemon = daemon_pid()
    before = memory([daemon])
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
         ms_p50=round(took[len(took) // 2]), ms_p95=round(took[len(took) * 95 // 100]), ms_max=round(took[-1]))
    running = haproxies()
    tell(row=f"memory of {len(running)} load balancers", haproxy_mib=round(memory(running)), resident_mib=round(memory(running, "Rss")),
         daemon_mib_more=round(memory([daemon]) - before))
    begin = time.monotonic()
    for balancer in made:
        lb.delete_load_balancer(balancer.id, cascade=True)
    while haproxies() and time.monotonic() < begin + 120:
        time.sleep(0.05)
    tell(row=f"deletion of {MANY}, until no process is left", s=round(time.monotonic() - begin, 1), left=len(haproxies()))


def main():
    cloud, work = openstack.connect(), os.environ["HOME"]
    tell(row="load of the machine before", load=os.getloadavg()[0])
    network = cloud.network.create_network(name="bench-balancers")
    subnet = cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.9.0.0/23", gateway_ip="10.9.0.1")
    try:
        if "through" in PARTS or "changes" in PARTS:
            balancer = served(cloud, subnet, network, work)
            if "through" in PARTS:
                through(cloud, balancer, work)
            if "changes" in PARTS:
                changes(cloud, balancer)
            cloud.load_balancer.delete_load_balancer(balancer.id, cascade=True)
        if "many" in PARTS:
            many(cloud, subnet)
    finally:
        for process in PROCESSES:
            process.kill()
        for name in NAMESPACES:
            run("ip", "netns", "del", name)


if __name__ == "__main__":
    main()
