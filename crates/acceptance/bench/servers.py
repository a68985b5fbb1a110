"""Server create to ACTIVE through the API, against the time that QEMU itself needs by hand.

By hand: a qcow2 overlay is made and the same QEMU command is started until its monitor greets. The API's figure ends with
the first answer that says ACTIVE, asked every 5 ms.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

import openstack

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "10"))


def by_api(cloud, image, flavor, network, rounds):
    times = []
    for number in range(rounds):
        begin = time.perf_counter()
        server = cloud.compute.create_server(
            name=f"bench-{number}", image_id=image, flavor_id=flavor, networks=[{"uuid": network}]
        )
        while (server := cloud.compute.get_server(server)).status != "ACTIVE":
            if server.status == "ERROR":
                raise SystemExit(f"the server is in ERROR: {server.fault}")
            time.sleep(0.005)
        times.append(time.perf_counter() - begin)
        cloud.compute.delete_server(server)
        cloud.compute.wait_for_delete(server, interval=0.05, wait=60)
    return times


def running_argv():
    """The arguments of the machine that the cloud has just started."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            argv = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[:-1]
        except OSError:
            continue
        if argv and b"qemu-system" in argv[0]:
            return [a.decode() for a in argv]
    raise SystemExit("no machine runs")


def by_hand(argv, base, rounds):
    """The same machine without a network card: its tap belongs to the cloud and costs QEMU nothing."""
    times = []
    machine = argv[argv.index("-machine") + 1] if "-machine" in argv else "q35"
    accel = argv[argv.index("-accel") + 1] if "-accel" in argv else "tcg"
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as work:
            begin = time.perf_counter()
            disk, monitor = f"{work}/disk.qcow2", f"{work}/qmp"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, disk, "1G"], check=True)
            qemu = subprocess.Popen([
                argv[0], "-nodefaults", "-machine", machine, "-accel", accel, "-cpu", "max", "-m", "512",
                "-display", "none", "-drive", f"file={disk},if=virtio,format=qcow2", "-serial", f"file:{work}/console",
                "-qmp", f"unix:{monitor},server=on,wait=off",
            ])
            try:
                while True:
                    try:
                        with socket.socket(socket.AF_UNIX) as peer:
                            peer.connect(monitor)
                            if peer.recv(1):
                                break
                    except OSError:
                        time.sleep(0.001)
                times.append(time.perf_counter() - begin)
            finally:
                qemu.kill()
                qemu.wait()
    return times


def main():
    cloud = openstack.connect()
    image = cloud.image.find_image("tiny").id
    flavor = cloud.compute.find_flavor("m1.tiny").id
    network = cloud.network.create_network(name="bench")
    cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    server = cloud.compute.create_server(name="look", image_id=image, flavor_id=flavor, networks=[{"uuid": network.id}])
    server = cloud.compute.wait_for_server(server, interval=0.1)
    argv = running_argv()
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.1)
    with tempfile.TemporaryDirectory() as work:
        base = shutil.copy(os.environ["BENCH_IMAGE"], f"{work}/base.qcow2")
        hand = by_hand(argv, base, ROUNDS)
    api = by_api(cloud, image, flavor, network.id, ROUNDS)
    cloud.network.delete_network(network)
    for row, times in (("QEMU by hand, to its monitor", hand), ("server create to ACTIVE", api)):
        print(json.dumps({
            "row": row, "p50_ms": round(statistics.median(times) * 1e3, 1), "max_ms": round(max(times) * 1e3, 1),
        }), flush=True)


if __name__ == "__main__":
    main()
