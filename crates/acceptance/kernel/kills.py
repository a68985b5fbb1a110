"""kill -9 of the daemon at a random moment of a random request about a real machine; start again; look. Argument: how
many times. CHAOS_SEED repeats a run as far as the machine's own pace allows.

One server lives through it: it is made, acted on in whatever its status allows, and deleted. After each kill it must
come to rest as it was or as it was asked to be (as asked, if the request was accepted), and the machine must have
exactly what the rows say: processes, taps, namespaces, rules, files."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import openstack
from keystoneauth1 import exceptions

from clock import Clock

VERSION = "2.90"
PATIENCE = 150
# By status: actions, where they lead, and how many seconds after the request a kill still is in its middle.
ACTIONS = {
    "ACTIVE": [
        ("os-stop", "SHUTOFF", 1.0),
        ("pause", "PAUSED", 0.2),
        ("suspend", "SUSPENDED", 1.5),
        ("reboot", "ACTIVE", 1.5),
        ("rebuild", "ACTIVE", 2.0),
        ("rescue", "RESCUE", 2.0),
        ("shelve", "SHELVED_OFFLOADED", 3.0),
        ("resize", "VERIFY_RESIZE", 2.0),
        ("createImage", "ACTIVE", 2.0),
        ("attach", "ACTIVE", 1.0),
        ("detach", "ACTIVE", 1.0),
    ],
    "SHUTOFF": [
        ("os-start", "ACTIVE", 0.6),
        ("resize", "VERIFY_RESIZE", 0.6),
        ("rescue", "RESCUE", 0.8),
        ("shelve", "SHELVED_OFFLOADED", 1.5),
        ("createImage", "SHUTOFF", 1.0),
    ],
    "PAUSED": [("unpause", "ACTIVE", 0.2), ("shelve", "SHELVED_OFFLOADED", 1.5)],
    "SUSPENDED": [("resume", "ACTIVE", 1.0), ("shelve", "SHELVED_OFFLOADED", 1.5)],
    "RESCUE": [("unrescue", "ACTIVE", 0.8)],
    "SHELVED_OFFLOADED": [("unshelve", "ACTIVE", 1.0)],
    "VERIFY_RESIZE": [("confirmResize", None, 0.5), ("revertResize", None, 1.0)],
}
# Those that the guest is asked for by its power button: before it has booted they take their minute.
HARD = {"reboot": {"type": "HARD"}}


def told(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def status():
    return json.loads(told("cumulet", "status", "--json"))


def lives(pid):
    """The kernel takes a moment to end all threads of a process, and its locks go with the last one."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return ") Z " not in stat.read() or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(pid):
    while lives(pid):
        time.sleep(0.01)


def short(port):
    return port[:11]


class Kills:
    def __init__(self):
        self.cloud = openstack.connect()
        self.compute, self.network = self.cloud.compute, self.cloud.network
        for service in (self.compute, self.network, self.cloud.image):
            # Connections to the daemon of before are found broken only when they are used.
            service.connect_retries = 3
        self.image = self.cloud.image.find_image("tiny").id
        self.flavors = [
            self.compute.create_flavor(name=name, ram=ram, vcpus=1, disk=disk).id
            for name, ram, disk in [("small", 128, 1), ("large", 160, 2)]
        ]
        self.nets = [self.network.find_network(name).id for name in ("net", "second")]
        self.data = os.environ["CUMULET_DATA_DIR"]
        self.server, self.was, self.bad = None, None, 0
        self.rules = told("nft", "list", "ruleset")

    def wrong(self, text):
        print(f"not ok - {text}", flush=True)
        self.bad += 1

    def send(self, method, path, body=None):
        """(accepted, answer); accepted is None when the daemon died before it answered."""
        try:
            answer = self.compute.request(path, method, json=body, microversion=VERSION, connect_retries=0)
        except (exceptions.ConnectFailure, exceptions.ConnectionError, OSError):
            return None, None
        return answer.status_code < 300, answer

    def killed(self, window, request):
        """The request, with a kill at a random moment of it. A process of its own kills, so that the moment does not
        depend on this one's waiting for the answer."""
        pid, delay = status()["pid"], random.uniform(0, window)
        child = os.fork()
        if child == 0:
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        answer = request()
        os.waitpid(child, 0)
        # Half of the times the next daemon starts while the killed one still ends.
        if random.random() < 0.5:
            wait_for_end(pid)
            time.sleep(random.uniform(0, 0.2))
        self.start()
        return delay, answer

    def end(self, how):
        pid = status()["pid"]
        os.kill(pid, how)
        wait_for_end(pid)

    def start(self):
        """With a clock that may be wrong. Who it is meant for looks for the library itself, so others may see it."""
        wrong_clock = {"LD_PRELOAD": os.environ["ADRIFT_LIBRARY"]}
        subprocess.run(["cumulet", "up"], check=True, capture_output=True, env={**os.environ, **wrong_clock})

    def settled(self):
        """The server once nothing is under way; None if it is gone."""
        deadline = time.time() + PATIENCE
        while time.time() < deadline:
            answer = self.compute.get(f"/servers/{self.server}", microversion=VERSION)
            if answer.status_code == 404:
                return None
            server = answer.json()["server"]
            if server["status"] != "BUILD" and server["OS-EXT-STS:task_state"] is None:
                return server
            time.sleep(0.1)
        self.wrong(f"{self.server} does not come to rest: {server['status']} {server['OS-EXT-STS:task_state']}")
        return server

    def create(self, name):
        body = {"server": {"name": name, "imageRef": self.image, "flavorRef": self.flavors[0], "networks": [{"uuid": self.nets[0]}]}}
        delay, (accepted, answer) = self.killed(0.5, lambda: self.send("POST", "/servers", body))
        servers = [s["id"] for s in self.compute.get("/servers").json()["servers"] if s["name"] == name]
        if accepted and answer.json()["server"]["id"] not in servers:
            self.wrong(f"{name}: killed after {delay:.3f} s: the accepted server is lost")
        self.server = servers[0] if servers else None
        self.result(f"create {name}", delay, accepted, {"ACTIVE"})

    def delete(self):
        server = self.server
        delay, (accepted, _) = self.killed(0.6, lambda: self.send("DELETE", f"/servers/{server}"))
        deadline = time.time() + PATIENCE
        while accepted and time.time() < deadline and self.compute.get(f"/servers/{server}").status_code != 404:
            time.sleep(0.1)
        found = self.settled()
        if accepted and found:
            self.wrong(f"delete: killed after {delay:.3f} s: the server is {found['status']}")
        print(f"# delete: killed after {delay:.3f} s: accepted: {accepted}, now {found and found['status']}")
        if found is None:
            self.server = None

    def act(self):
        """False: what was chosen means nothing now."""
        before = self.settled()
        action, target, window = random.choice(ACTIONS[before["status"]])
        path, body = f"/servers/{self.server}/action", {action: None}
        method = "POST"
        if action == "resize":
            other = self.flavors[1] if before["flavor"]["original_name"] == "small" else None
            # A disk does not shrink.
            if other is None:
                return False
            body, self.was = {action: {"flavorRef": other}}, before["status"]
        elif action == "reboot":
            body = {action: HARD["reboot"]}
        elif action == "rebuild":
            body = {action: {"imageRef": self.image}}
        elif action == "createImage":
            body = {action: {"name": f"copy-{time.time()}"}}
        elif action in ("confirmResize", "revertResize"):
            target = self.was
        elif action in ("attach", "detach"):
            ports = [p.id for p in self.network.ports(device_id=self.server, network_id=self.nets[1])]
            path = f"/servers/{self.server}/os-interface"
            if action == "attach" and not ports:
                body = {"interfaceAttachment": {"net_id": self.nets[1]}}
            elif action == "detach" and ports:
                method, path, body = "DELETE", f"{path}/{ports[0]}", None
            else:
                return False
        delay, (accepted, answer) = self.killed(window, lambda: self.send(method, path, body))
        if accepted is False:
            self.wrong(f"{action} of an {before['status']} server: {answer.status_code} {answer.text}")
        self.result(action, delay, accepted, {target} if accepted else {target, before["status"]})
        return True

    def result(self, what, delay, accepted, right):
        found = self.settled() if self.server else None
        now = found["status"] if found else "gone"
        reason = (found or {}).get("fault", {}).get("message", "")
        print(f"# {what}: killed after {delay:.3f} s: accepted: {accepted}, now {now} {reason}")
        good = now in right or (now == "ERROR" and reason) or (now == "gone" and what.startswith("create") and not accepted)
        if not good:
            self.wrong(f"{what}: {now} and not one of {right}")
        if now == "ERROR":
            # Nothing more is to be learned from it.
            self.send("DELETE", f"/servers/{self.server}")
            while self.compute.get(f"/servers/{self.server}").status_code != 404:
                time.sleep(0.1)
            self.server = None

    def leaks(self):
        """Host and rows agree, now or in a moment."""
        deadline = time.time() + 20
        while True:
            wrong = self.differences()
            if not wrong or time.time() > deadline:
                break
            time.sleep(0.3)
        for line in wrong:
            self.wrong(line)

    def differences(self):
        servers = self.compute.get("/servers/detail", microversion=VERSION).json()["servers"]
        runs = {"ACTIVE", "PAUSED", "RESCUE"}
        running = {s["id"] for s in servers if s["status"] in runs or (s["status"] == "VERIFY_RESIZE" and self.was == "ACTIVE")}
        on_disk = {s["id"] for s in servers if s["status"] != "SHELVED_OFFLOADED"}
        ports = [p for p in self.network.ports() if p.device_owner.startswith("compute")]
        taps = {f"tap{short(p.id)}" for p in ports if p.device_id in running}
        images = {i.id for i in self.cloud.image.images() if i.status == "active"}
        spaces = {"n": sum(1 for _ in self.network.networks()), "r": sum(1 for _ in self.network.routers())}
        here = [line.split()[0] for line in told("ip", "netns", "list").splitlines()]
        links = set()
        for space in here:
            for link in json.loads(told("ip", "-n", space, "-j", "-d", "link", "show")):
                if link.get("linkinfo", {}).get("info_kind") == "tun":
                    links.add(link["ifname"])
        arguments = [line.split() for line in told("ps", "-eo", "args").splitlines()]
        machines = {a[a.index("-uuid") + 1] for a in arguments if "qemu-system" in a[0] and "-uuid" in a}
        count = sum(1 for a in arguments if "qemu-system" in a[0])
        tools = [a for a in arguments if "qemu-img" in a[0]]
        files = set(os.listdir(f"{self.data}/images")) - {"staging"}
        stray = {p.id for p in ports if p.device_id not in {s["id"] for s in servers}}
        pairs = [
            ("processes of machines", machines, running),
            ("number of processes", count, len(running)),
            ("taps", links, taps),
            ("directories of machines", set(os.listdir(f"{self.data}/vms")), on_disk),
            ("files of images", files, images),
            ("namespaces", {k: sum(f"-{k}-" in n for n in here) for k in "nr"}, spaces),
            ("tools", tools, []),
            ("ports of no server", stray, set()),
            ("rules of the host", told("nft", "list", "ruleset"), self.rules),
        ]
        return [f"{what}: there are {is_}, there should be {right}" for what, is_, right in pairs if is_ != right]


def main(rounds):
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    print(f"seed {seed}")
    kills = Kills()
    clock = Clock(kills)
    for number in range(rounds):
        if number == rounds // 2:
            clock.jumps()
        if kills.server is None:
            kills.create(f"kill-{number}")
        elif random.random() < 0.12:
            kills.delete()
        else:
            while not kills.act():
                pass
        kills.leaks()
    if kills.server:
        kills.send("DELETE", f"/servers/{kills.server}")
        while kills.compute.get(f"/servers/{kills.server}").status_code != 404:
            time.sleep(0.1)
    for image in kills.cloud.image.images():
        if image.id != kills.image:
            kills.cloud.image.delete_image(image)
    kills.leaks()
    return kills.bad


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1])) else 0)
