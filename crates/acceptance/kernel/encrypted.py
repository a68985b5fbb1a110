"""An encrypted volume is a plain disk to its guest, and to nobody who reads the machine's files."""

import json
import os
import subprocess

from journey import Journey

TEXT = "what nobody else may read"
volumes = os.environ["CUMULET_DATA_DIR"] + "/volumes"
j = Journey()
net = j.cloud.network
storage = j.cloud.block_storage
public = net.find_network("public", ignore_missing=False)
inner = net.find_network("inner", ignore_missing=False)


def openstack(*words):
    return subprocess.run(["openstack", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def volume(name):
    return storage.find_volume(name, ignore_missing=False)


def is_now(name, status):
    return lambda: volume(name).status == status


def is_anywhere():
    """Whether the text is in any file of a volume."""
    found = subprocess.run(["grep", "-rlaF", TEXT, volumes], stdout=subprocess.PIPE, text=True)
    return found.returncode == 0


def guest(command):
    return j.guest(address, command)


openstack(
    "volume", "type", "create", "--encryption-provider", "luks", "--encryption-cipher", "aes-xts-plain64",
    "--encryption-key-size", "256", "--encryption-control-location", "front-end", "locked",
)
made = json.loads(openstack("volume", "create", "--type", "locked", "--size", "1", "private", "-f", "json"))["id"]
j.within(30, "an encrypted volume is made", is_now("private", "available"))
key = storage.get(f"/volumes/{made}", microversion="3.64").json()["volume"]["encryption_key_id"]
j.check("it has a key", len(key) == 36)
one = j.server("locked", [{"uuid": inner.id}], security_groups=[{"name": "door"}])
address = net.create_ip(floating_network_id=public.id, port_id=j.port_of(one, inner).id).floating_ip_address
j.within(120, "a guest answers", lambda: guest("hostname") == "locked")
openstack("server", "add", "volume", "locked", "private")
j.within(20, "it sees the volume while it runs", lambda: guest("cat /sys/block/vdb/serial") == made[:20])
j.check("and writes", guest(f"sudo mkfs.ext4 -q /dev/vdb && sudo mount /dev/vdb /mnt && echo {TEXT} | sudo tee /mnt/a && sync") == TEXT)
j.check("nothing of that is to be read on the machine's disk", not is_anywhere())
openstack("--os-volume-api-version", "3.66", "volume", "snapshot", "create", "--volume", "private", "then-private")
j.within(60, "a snapshot is taken meanwhile", lambda: storage.find_snapshot("then-private").status == "available")
j.check("the guest goes on writing", guest(f"echo after, {TEXT} | sudo tee /mnt/b && sync && cat /mnt/a") == f"after, {TEXT}\n{TEXT}")
openstack("--os-volume-api-version", "3.42", "volume", "set", "--size", "2", "private")
j.within(30, "the volume grows under it", lambda: guest("cat /sys/block/vdb/size") == str(2 << 21))
j.check("with its file system", guest("sudo resize2fs /dev/vdb >/dev/null 2>&1; sudo umount /mnt && echo done") == "done")
openstack("server", "remove", "volume", "locked", "private")
j.within(30, "detached, it is everybody's again", is_now("private", "available"))
openstack("volume", "create", "--source", "private", "copy")
openstack("volume", "create", "--snapshot", "then-private", "--size", "1", "restored-private")
j.within(60, "copies are made", lambda: is_now("copy", "available")() and is_now("restored-private", "available")())
openstack("server", "stop", "locked")
j.within(60, "the server is stopped", lambda: j.cloud.compute.get_server(one.id).status == "SHUTOFF")
for name in ["private", "copy", "restored-private"]:
    openstack("server", "add", "volume", "locked", name)
openstack("server", "start", "locked")
j.within(120, "it starts with three encrypted disks", lambda: guest("ls -d /sys/block/vd[bcd] | wc -l") == "3")
for disk, wanted in [("vdb", f"{TEXT}\nafter, {TEXT}"), ("vdc", f"{TEXT}\nafter, {TEXT}"), ("vdd", f"{TEXT}\nnone")]:
    shown = guest(f"sudo mount -o ro,noload /dev/{disk} /mnt && cat /mnt/a; cat /mnt/b 2>/dev/null || echo none; sudo umount /mnt")
    j.check(f"{disk} shows what was written", shown == wanted)
j.check("and still nothing of that is on the machine's disk", not is_anywhere())
processes = subprocess.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"], stdout=subprocess.PIPE).stdout
url = j.cloud.session.get_endpoint(service_type="key-manager")
answer = j.cloud.session.get(
    f"{url}/v1/secrets/{key}/payload", headers={"Accept": "application/octet-stream"}
).content.hex()
j.check("its key is no argument of any process", len(answer) == 64 and answer.encode() not in processes)
j.delete_server(one)
j.end()
