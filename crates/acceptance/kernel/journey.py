"""What the journeys in Python share: checks that print as the shell's do, a guest by ssh, and a cloud to act on."""

import os
import subprocess
import sys
import time

import openstack


class Journey:
    """Counts checks. `end()` exits with 3 when one failed: 1 is Python's own, for a journey that broke off."""

    def __init__(self):
        self.cloud = openstack.connect(cloud="cumulet")
        self.work = os.environ["JOURNEY_WORK"]
        self.failed = 0
        self.key = f"{self.work}/journey-key"
        if not os.path.exists(self.key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)

    def check(self, what, outcome):
        """`outcome` is a truth, or a function that is asked once; an exception is told and counts as a failure."""
        try:
            good = outcome() if callable(outcome) else outcome
        except Exception as error:  # the next checks shall run, whatever this one met
            good, what = False, f"{what}: {error}"
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} - {what}", flush=True)
        return good

    def within(self, seconds, what, condition):
        self.check(what, lambda: until(seconds, condition))

    def image(self):
        return self.cloud.image.find_image("tiny", ignore_missing=False)

    def keypair(self):
        with open(f"{self.key}.pub") as public:
            return self.cloud.compute.create_keypair(name="journey", public_key=public.read())

    def server(self, name, networks, wait=True, **more):
        flavor = self.cloud.compute.find_flavor("m1.tiny")
        server = self.cloud.compute.create_server(
            name=name, image_id=self.image().id, flavor_id=flavor.id, key_name="journey", networks=networks, **more
        )
        return self.cloud.compute.wait_for_server(server, interval=0.2, wait=120) if wait else server

    def delete_server(self, server):
        self.cloud.compute.delete_server(server)
        self.cloud.compute.wait_for_delete(server, interval=0.2, wait=60)

    def port_of(self, server, network):
        return next(iter(self.cloud.network.ports(device_id=server.id, network_id=network.id)))

    def guest(self, address, command, port=22, seconds=20):
        """What a command in the guest prints, or None when it fails or the guest cannot be reached."""
        argv = ["ssh", "-i", self.key, "-p", str(port), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]
        argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3"]
        try:
            done = subprocess.run([*argv, f"cumulet@{address}", command], capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def host_key(self, address):
        """None: nobody answers there; an emulated guest takes seconds to."""
        argv = ["ssh-keyscan", "-T", "5", "-t", "ed25519", address]
        words = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.split()
        return words[2] if len(words) == 3 else None

    def end(self):
        sys.exit(3 if self.failed else 0)


def until(seconds, condition):
    end = time.monotonic() + seconds
    while not (outcome := condition()):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return outcome
