"""The daemon's clock, and only that, is set forward and back by a day, under the daemon and between two of its lives; real
machines run meanwhile. What is told to end at an instant does so; nothing else may depend on it."""

import os
import signal
import struct
import subprocess
import time

import openstack
from keystoneauth1 import exceptions

DAY = 24 * 3600


class Clock:
    """`kills` is what kills.py knows of the cloud: it judges, starts the daemon and finds leaks."""

    def __init__(self, kills):
        self.kills, self.file = kills, os.environ["ADRIFT"]
        self.guest = os.environ["WITNESS"].split()

    def set(self, ahead):
        with open(self.file, "r+b") as file:
            file.write(struct.pack("=q", ahead))

    def jumps(self):
        kills, before = self.kills, self.things()
        token = kills.cloud.auth_token
        for when, ahead, between_lives in [
            ("a day ahead", DAY, False),
            ("back from a day ahead", 0, False),
            ("a day behind", -DAY, False),
            ("started again two days later", DAY, True),
            ("started again a day earlier", 0, True),
        ]:
            bad = kills.bad
            if between_lives:
                kills.end(signal.SIGKILL)
            self.set(ahead)
            if between_lives:
                kills.start()
            # Not the `Date` of an answer: the server remembers that for a second by the same clock.
            session = openstack.connect().session
            told = session.auth.get_access(session).issued
            if abs(told.timestamp() - time.time() - ahead) > 60:
                kills.wrong(f"{when}: the daemon's clock says {told}: it was not set")
            if ahead == DAY and not between_lives and self.is_good(token):
                kills.wrong("a token outlives its end by a clock that was set forward")
            self.works(when)
            for what, command in [
                ("the guest that ran before answers", "true"),
                ("it is given its address again", "sudo udhcpc -i eth0 -n -q"),
                ("and its metadata", "wget -q -O /dev/null http://169.254.169.254/openstack/latest/meta_data.json"),
            ]:
                if subprocess.run([*self.guest, command], capture_output=True).returncode != 0:
                    kills.wrong(f"{when}: not so: {what}")
            if self.things() != before:
                kills.wrong(f"{when}: there is {self.things()} where there was {before}")
            kills.leaks()
            print(f"# {when}: {'well' if kills.bad == bad else 'not well'}")

    def url(self, path):
        return self.kills.cloud.config.auth["auth_url"].removesuffix("/identity/v3").removesuffix("/") + path

    def is_good(self, token):
        session = self.kills.cloud.session
        try:
            found = session.get(self.url("/identity/v3/auth/projects"), authenticated=False, headers={"X-Auth-Token": token})
        except exceptions.Unauthorized:
            return False
        return found.status_code == 200

    def works(self, when):
        """A server comes, changes and goes, each within the usual time, and the newest action is told first."""
        kills = self.kills
        compute = openstack.connect().compute
        made = compute.create_server(name="clock", image_id=kills.image, flavor_id=kills.flavors[0], networks=[{"uuid": kills.nets[0]}])
        try:
            compute.wait_for_server(made, interval=0.2, wait=60)
            for act, status in [(compute.pause_server, "PAUSED"), (compute.unpause_server, "ACTIVE")]:
                act(made)
                compute.wait_for_server(made, status=status, interval=0.2, wait=30)
            newest = next(iter(compute.server_actions(made))).action
            if newest != "unpause":
                kills.wrong(f"{when}: the newest action is {newest}")
        except openstack.exceptions.SDKException as error:
            kills.wrong(f"{when}: a server does not come to rest: {error}")
        compute.delete_server(made)
        compute.wait_for_delete(made, interval=0.2, wait=60)

    def things(self):
        """What no clock may take away or add."""
        cloud = openstack.connect()
        lists = {
            "server": ((s.id, s.status) for s in cloud.compute.servers()),
            "image": ((i.id, i.status) for i in cloud.image.images()),
            "port": ((p.id, p.status) for p in cloud.network.ports()),
            "floating": ((f.id, f.status) for f in cloud.network.ips()),
        }
        return sorted(f"{kind} {id} {status}" for kind in lists for id, status in lists[kind])
