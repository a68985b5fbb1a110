"""kill -9 at a random moment of a create, start again, look. Argument: how many times."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import openstack


def daemon_pid():
    return json.loads(subprocess.run(["cumulet", "status", "--json"], check=True, capture_output=True).stdout)["pid"]


def up():
    subprocess.run(["cumulet", "up"], check=True, capture_output=True)


def settled(cloud, server_id):
    """The server's status once it is no longer being built; the reason as well."""
    deadline = time.time() + 60
    while time.time() < deadline:
        try:
            server = cloud.compute.get_server(server_id)
        except openstack.exceptions.NotFoundException:
            return "LOST", ""
        if server.status != "BUILD":
            return server.status, (server.fault or {}).get("message", "")
        time.sleep(0.1)
    return "STUCK", server.task_state


def main(rounds):
    seed = random.randrange(1 << 30)
    random.seed(seed)
    print(f"seed {seed}")
    cloud = openstack.connect()
    image = cloud.image.find_image("tiny").id
    flavor = cloud.compute.find_flavor("m1.tiny").id
    network = cloud.network.find_network("net").id
    bad = 0
    for number in range(rounds):
        name = f"kill-{number}"
        pid = daemon_pid()
        delay = random.uniform(0, 0.35)
        child = os.fork()
        if child == 0:
            # A process of its own kills, so that the moment does not depend on this one's waiting for the answer.
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        accepted = None
        try:
            accepted = cloud.compute.create_server(
                name=name, image_id=image, flavor_id=flavor, networks=[{"uuid": network}]
            ).id
        except Exception as error:  # whatever the client makes of a connection that ends
            print(f"# {name}: not answered: {type(error).__name__}")
        os.waitpid(child, 0)
        time.sleep(0.05)
        up()
        # An unanswered create may have been accepted all the same: then it is held to the same.
        servers = [s.id for s in cloud.compute.servers(details=False) if s.name == name]
        if accepted and accepted not in servers:
            print(f"not ok - {name}: killed after {delay:.3f} s: the accepted server is lost")
            bad += 1
        for server_id in servers:
            status, reason = settled(cloud, server_id)
            good = status == "ACTIVE" or (status == "ERROR" and reason)
            print(f"# {name}: killed after {delay:.3f} s: {status} {reason}")
            if not good:
                print(f"not ok - {name}: {status}")
                bad += 1
            server = cloud.compute.get_server(server_id)
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server, interval=0.2, wait=60)
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1])) else 0)
