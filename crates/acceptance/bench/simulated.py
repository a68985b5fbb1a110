"""Figures of a simulated cloud: servers by ones, by fifties and by ten thousands, uploads, and the way back.

Takes the process's id and reads OS_* of an admin. Prints one JSON object a row. Speaks HTTP itself over connections that
stay open, so that the figures are the cloud's and not a client library's.
"""

import concurrent.futures
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

from apis import AUTH, call, cpu_seconds, password_body, resident_mib

MANY = int(os.environ.get("BENCH_SERVERS", "10000"))
BATCH = 100
UPLOAD_MIB = 1024


class Peer:
    """One connection to the cloud."""

    def __init__(self, token):
        self.connection = http.client.HTTPConnection(urlsplit(AUTH).netloc)
        self.headers = {"X-Auth-Token": token, "Content-Type": "application/json",
                        "OpenStack-API-Version": "compute 2.96"}

    def call(self, method, url, body=None):
        at = urlsplit(url)
        path = f"{at.path}?{at.query}" if at.query else at.path
        self.connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {url}: {answer.status} {text.decode()[:300]}")
        return json.loads(text) if text else None


class Cloud:
    def __init__(self):
        headers, body = call("POST", f"{AUTH}/auth/tokens", body=password_body())
        self.token, self.project = headers["X-Subject-Token"], body["token"]["project"]["id"]
        public = [(s["type"], e["url"]) for s in body["token"]["catalog"] for e in s["endpoints"]
                  if e["interface"] == "public"]
        url = dict(public)
        self.compute, self.network, self.image = url["compute"], f"{url['network']}/v2.0", f"{url['image']}/v2"
        self.peer = Peer(self.token)

    def no_limits(self):
        names = ["instances", "cores", "ram", "server_groups", "server_group_members"]
        self.peer.call("PUT", f"{self.compute}/os-quota-sets/{self.project}",
                       {"quota_set": {name: -1 for name in names} | {"force": True}})
        self.peer.call("PUT", f"{self.network}/quotas/{self.project}", {"quota": {"port": -1}})

    def prepare(self):
        image = self.peer.call("POST", f"{self.image}/images",
                               {"name": "bench", "disk_format": "raw", "container_format": "bare"})["id"]
        call_data(f"{self.image}/images/{image}/file", self.token, "/dev/zero", 1 << 20)
        flavor = self.peer.call("POST", f"{self.compute}/flavors",
                                {"flavor": {"name": "bench", "ram": 1, "vcpus": 1, "disk": 0}})["flavor"]["id"]
        networks = []
        for number in (0, 1):
            network = self.peer.call("POST", f"{self.network}/networks", {"network": {"name": f"bench-{number}"}})
            networks.append(network["network"]["id"])
            self.peer.call("POST", f"{self.network}/subnets", {"subnet": {
                "network_id": networks[-1], "ip_version": 4, "cidr": f"10.{number}.0.0/16"}})
        self.server = {"name": "bench", "imageRef": image, "flavorRef": flavor,
                       "networks": [{"uuid": network} for network in networks]}

    def create(self, peer, **more):
        return peer.call("POST", f"{self.compute}/servers", {"server": self.server | more})["server"]["id"]

    def until_active(self, peer, server):
        while True:
            status = peer.call("GET", f"{self.compute}/servers/{server}")["server"]["status"]
            if status == "ACTIVE":
                return
            if status == "ERROR":
                raise SystemExit(f"{server} is in ERROR")
            time.sleep(0.001)

    def count(self, status):
        """Asked of the list that has nothing but ids."""
        found, marker = 0, ""
        while True:
            page = self.peer.call("GET", f"{self.compute}/servers?status={status}&limit=1000{marker}")["servers"]
            found += len(page)
            if len(page) < 1000:
                return found
            marker = f"&marker={page[-1]['id']}"


def call_data(url, token, path, size):
    """PUT of the first bytes of a file, by curl: its time is the cloud's and the loopback's."""
    command = ["head", "-c", str(size), path]
    with tempfile.NamedTemporaryFile() as data:
        subprocess.run(command, stdout=data, check=True)
        begin = time.perf_counter()
        subprocess.run(["curl", "-sf", "-T", data.name, "-H", f"X-Auth-Token: {token}",
                        "-H", "Content-Type: application/octet-stream", url], check=True)
        return time.perf_counter() - begin


def row(name, **figures):
    print(json.dumps({"row": name} | figures), flush=True)


def timed(work, rounds):
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1e3)
    return times


def one_by_one(cloud):
    times = timed(lambda: cloud.until_active(cloud.peer, cloud.create(cloud.peer)), 50)
    row("create to ACTIVE, two ports", p50_ms=round(statistics.median(times), 1), max_ms=round(max(times), 1))


def at_once(cloud):
    peers = [Peer(cloud.token) for _ in range(50)]
    for peer in peers:
        peer.call("GET", f"{cloud.compute}/flavors")
    with concurrent.futures.ThreadPoolExecutor(len(peers)) as pool:
        begin = time.perf_counter()
        list(pool.map(lambda peer: cloud.until_active(peer, cloud.create(peer)), peers))
        row("50 at once, until all are ACTIVE", ms=round((time.perf_counter() - begin) * 1e3))


def pages(cloud, pid, servers):
    """The same page of 100, first and from the middle."""
    for what, url, items in (
        ("servers/detail", f"{cloud.compute}/servers/detail", "servers"),
        ("ports", f"{cloud.network}/ports", "ports"),
    ):
        ids = cloud.peer.call("GET", f"{url}?limit=1000")[items]
        marker = ids[min(len(ids), 1000) // 2 - 1]["id"]
        for place, query in (("first", "limit=100"), ("from the middle", f"limit=100&marker={marker}")):
            spent = cpu_seconds(pid)
            times = timed(lambda: cloud.peer.call("GET", f"{url}?{query}"), 200)
            cpu = (cpu_seconds(pid) - spent) / len(times) * 1e3
            row(f"{what}, page of 100, {place}, {servers} servers",
                p50_ms=round(statistics.median(times), 2), cpu_ms_per_request=round(cpu, 2))


def main():
    pid = int(sys.argv[1])
    cloud = Cloud()
    size = UPLOAD_MIB << 20
    image = cloud.peer.call("POST", f"{cloud.image}/images",
                            {"name": "upload", "disk_format": "raw", "container_format": "bare"})["id"]
    seconds = call_data(f"{cloud.image}/images/{image}/file", cloud.token, "/dev/urandom", size)
    row("image upload, 1 GiB", mb_per_second=round(size / 1e6 / seconds))
    cloud.peer.call("DELETE", f"{cloud.image}/images/{image}")

    cloud.no_limits()
    cloud.prepare()
    one_by_one(cloud)
    at_once(cloud)
    pages(cloud, pid, 100)
    begin = time.perf_counter()
    made = 100
    while made < MANY:
        batch = min(BATCH, MANY - made)
        cloud.create(cloud.peer, min_count=batch, max_count=batch)
        made += batch
    row(f"{MANY - 100} servers accepted", seconds=round(time.perf_counter() - begin, 1))
    # Asked for little: counting thousands again and again would be what is measured.
    while cloud.peer.call("GET", f"{cloud.compute}/servers?status=BUILD&limit=1")["servers"]:
        time.sleep(0.5)
    seconds = round(time.perf_counter() - begin, 1)
    failed = cloud.peer.call("GET", f"{cloud.compute}/servers/detail?status=ERROR&limit=1")["servers"]
    if failed:
        raise SystemExit(f"servers are in ERROR: {failed[0]['fault']}")
    row(f"{cloud.count('ACTIVE')} servers ACTIVE", seconds=seconds)
    pages(cloud, pid, MANY)
    one_by_one(cloud)
    row(f"resident memory, {MANY} servers and {2 * MANY} ports", mib=round(resident_mib(pid), 1))
    origin = AUTH.removesuffix("/identity/v3")
    begin = time.perf_counter()
    cloud.peer.call("POST", f"{origin}/simulate/reset")
    row(f"reset, {MANY} servers", ms=round((time.perf_counter() - begin) * 1e3))
    cloud = Cloud()
    cloud.prepare()
    for _ in range(9):
        cloud.create(cloud.peer)
    times = timed(lambda: cloud.peer.call("POST", f"{origin}/simulate/reset"), 1)
    row("reset, 9 servers", ms=round(times[0]))


if __name__ == "__main__":
    main()
