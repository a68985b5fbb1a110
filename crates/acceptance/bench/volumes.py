"""Volumes: blank ones from their create to `available`, one from its attach to the guest's seeing it, and the speed of a guest's
disk as a share of the same by hand.

By hand: the daemon is killed, which leaves the guest running, and the same QEMU is given another new file through its monitor as
its manual says for speed (raw, cache off, asynchronous by the kernel's newer way or its older one). The guest then writes and
reads both disks in turn; what it writes is not zeros, which our disks do not store.
"""

import glob
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.append(f"{os.path.dirname(__file__)}/../kernel")
from journey import Journey, until  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "10"))
MIB = int(os.environ.get("BENCH_MIB", "512"))
PIECE = 16
GIB = 1 << 30


def row(name, times, **more):
    figures = {"p50_ms": round(statistics.median(times) * 1e3, 1), "max_ms": round(max(times) * 1e3, 1)}
    print(json.dumps({"row": name, **figures, **more}), flush=True)


def blank(storage, gib):
    times = []
    for number in range(ROUNDS):
        begin = time.perf_counter()
        volume = storage.create_volume(name=f"bench-{number}", size=gib)
        while (volume := storage.get_volume(volume)).status != "available":
            if volume.status == "error":
                raise SystemExit("a volume is in error: see `openstack volume message list`")
            time.sleep(0.002)
        times.append(time.perf_counter() - begin)
        storage.delete_volume(volume)
        storage.wait_for_delete(volume, interval=0.05, wait=30)
    return times


def guest(j):
    """A server that answers ssh: the server and its floating IP."""
    net = j.cloud.network
    public = net.find_network("public", ignore_missing=False)
    network = net.create_network(name="bench")
    subnet = net.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    router = net.create_router(name="bench", external_gateway_info={"network_id": public.id})
    net.add_interface_to_router(router, subnet_id=subnet.id)
    door = net.create_security_group(name="door")
    net.create_security_group_rule(
        security_group_id=door.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22)
    j.keypair()
    server = j.server("bench", [{"uuid": network.id}], security_groups=[{"name": "door"}])
    address = net.create_ip(floating_network_id=public.id, port_id=j.port_of(server, network).id).floating_ip_address
    if not until(180, lambda: j.guest(address, "hostname") == "bench"):
        raise SystemExit("the guest does not answer")
    return server, address


def attach(j, server, address, volume):
    """Seconds until the guest has the disk: it looks for it all the time."""
    look = "until [ -b /dev/vdb ]; do usleep 5000; done; echo seen"
    ssh = ["ssh", "-i", j.key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
           "-o", "LogLevel=ERROR", f"cumulet@{address}", f"echo looking; {look}"]
    with subprocess.Popen(ssh, stdout=subprocess.PIPE, text=True) as looking:
        looking.stdout.readline()
        begin = time.perf_counter()
        j.cloud.compute.create_volume_attachment(server, volume_id=volume.id)
        looking.stdout.readline()
        return time.perf_counter() - begin


def detach(j, server, volume):
    j.cloud.compute.delete_volume_attachment(server, volume.id)
    j.cloud.block_storage.wait_for_status(volume, "available", interval=0.05, wait=60)


class Monitor:
    """QMP, of a machine whose daemon is dead."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile()
        self.lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, files=(), **arguments):
        text = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        socket.send_fds(self.socket, [text], files)
        while "event" in (answer := json.loads(self.lines.readline())):
            pass
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def free_port(self):
        """A root port without a device."""
        buses = next(bus for bus in self.ask("query-pci") if bus["bus"] == 0)["devices"]
        ports = [device for device in buses if device["qdev_id"].startswith("port")]
        return next(port["qdev_id"] for port in ports if not port["pci_bridge"].get("devices"))


def by_hand(server, volume_gib, work):
    """A second disk, /dev/vdc, in the same machine."""
    path = f"{work}/by-hand.raw"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
    os.truncate(file, volume_gib * GIB)
    sockets = glob.glob(f"{os.environ['CUMULET_DATA_DIR']}/**/{server.id}/qmp*", recursive=True)
    monitor = Monitor(next(path for path in sockets if not os.path.isfile(path)))
    opened = monitor.ask("add-fd", files=[file])["fdset-id"]
    for way in ("io_uring", "native"):
        try:
            monitor.ask("blockdev-add", **{
                "driver": "raw", "node-name": "hand", "cache": {"direct": True},
                "file": {"driver": "file", "filename": f"/dev/fdset/{opened}", "aio": way, "cache": {"direct": True}},
            })
            break
        except RuntimeError as error:
            if way == "native":
                raise
            print(f"by hand without {way}: {error}", file=sys.stderr)
    monitor.ask("device_add", driver="virtio-blk-pci", id="hand", drive="hand", bus=monitor.free_port())


def speed(j, address, device, way):
    """MiB a second, by the guest's own clock, in pieces of a file in its memory."""
    one = {
        "write": f"if=/tmp/piece of={device} seek=$((at * {PIECE})) oflag=direct conv=notrunc",
        "read": f"if={device} of=/dev/null skip=$((at * {PIECE})) count={PIECE} iflag=direct",
    }[way]
    command = (
        "cat /proc/uptime; "
        f"sudo sh -c 'for at in $(seq 0 {MIB // PIECE - 1}); do dd bs=1M {one} 2>/dev/null || exit 1; done'; "
        "cat /proc/uptime"
    )
    printed = j.guest(address, command, seconds=300)
    begin, end = (float(line.split()[0]) for line in printed.splitlines())
    return MIB / (end - begin)


def main():
    j = Journey()
    storage = j.cloud.block_storage
    for gib in (1, 1000):
        row(f"blank volume of {gib} GiB, create to available", blank(storage, gib))
    server, address = guest(j)
    size = -(-MIB // 1024) + 1
    volume = storage.create_volume(name="bench", size=size)
    storage.wait_for_status(volume, "available", interval=0.05)
    times = []
    for number in range(max(2, ROUNDS // 2)):
        if number:
            detach(j, server, volume)
            until(30, lambda: j.guest(address, "[ -b /dev/vdb ] || echo gone") == "gone")
        times.append(attach(j, server, address, volume))
    status = json.loads(subprocess.check_output(["cumulet", "status", "--json"]))
    row("volume attach to the guest's seeing it", times, accelerator=status.get("accelerator"))
    os.kill(status["pid"], signal.SIGKILL)
    time.sleep(1)
    by_hand(server, size, j.work)
    if not until(30, lambda: j.guest(address, "[ -b /dev/vdc ] && echo there") == "there"):
        raise SystemExit("the guest does not see the disk by hand")
    j.guest(address, f"tr '\\0' 'x' </dev/zero | head -c {PIECE << 20} >/tmp/piece", seconds=120)
    for way in ("write", "read"):
        figures = {"/dev/vdb": [], "/dev/vdc": []}
        for number in range(ROUNDS):
            for device in sorted(figures, reverse=number % 2 == 1):
                figures[device].append(speed(j, address, device, way))
        # The first write of a range finds it unallocated: it is another figure.
        ours, hand = (statistics.median(figures[device][way == "write":]) for device in sorted(figures))
        print(json.dumps({
            "row": f"guest's disk, {way} of {MIB} MiB", "by_hand_mib_s": round(hand), "mib_s": round(ours),
            "of_by_hand": round(ours / hand, 3),
        }), flush=True)


if __name__ == "__main__":
    main()
