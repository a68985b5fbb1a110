"""What a guest writes on a volume is there in another guest, in a snapshot as it was then, and after a reboot."""

import json
import os
import subprocess

from journey import Journey

j = Journey()
net = j.cloud.network
public = net.find_network("public", ignore_missing=False)
inner = net.create_network(name="inner")
subnet = net.create_subnet(network_id=inner.id, name="inner", ip_version=4, cidr="10.0.1.0/24")
router = net.create_router(name="r", external_gateway_info={"network_id": public.id})
net.add_interface_to_router(router, subnet_id=subnet.id)
door = net.create_security_group(name="door")
net.create_security_group_rule(security_group_id=door.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22)
j.keypair()


def openstack(*words):
    return subprocess.run(["openstack", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def told(*words):
    return json.loads(openstack(*words, "-f", "json"))


def volume(name):
    return j.cloud.block_storage.find_volume(name, ignore_missing=False)


def is_now(name, status):
    return lambda: volume(name).status == status


def address_of(server):
    return net.create_ip(floating_network_id=public.id, port_id=j.port_of(server, inner).id).floating_ip_address


data = told("volume", "create", "--size", "1", "data")["id"]
one = j.server("one", [{"uuid": inner.id}], security_groups=[{"name": "door"}])
first = address_of(one)
j.within(120, "the first guest answers", lambda: j.guest(first, "hostname") == "one")


def guest(command):
    return j.guest(first, command)


openstack("server", "add", "volume", "one", "data")
j.within(5, "a running guest sees the volume, by its serial number", lambda: guest("cat /sys/block/vdb/serial") == data[:20])
j.within(5, "it is in use", is_now("data", "in-use"))
j.check("the guest makes a file system on it", guest("sudo mkfs.ext4 -q /dev/vdb && sudo mount /dev/vdb /mnt && echo yes") == "yes")
j.check("and writes", guest("echo before | sudo tee /mnt/a && sync") == "before")
openstack("--os-volume-api-version", "3.66", "volume", "snapshot", "create", "--volume", "data", "then")
j.within(10, "a snapshot is taken meanwhile", lambda: j.cloud.block_storage.find_snapshot("then").status == "available")
j.check("the guest goes on writing", guest("echo after | sudo tee /mnt/b && sync && cat /mnt/a") == "after\nbefore")

# Files that the guest writes all the time, each with its sum, while snapshots come and go under it.
writer = "i=0; while [ ! -e /tmp/end ]; do i=$((i + 1)); n=$((i % 20)); head -c 200000 /dev/urandom > /tmp/new; " \
    "sudo cp /tmp/new /mnt/f$n && sync && md5sum < /tmp/new > /tmp/f$n.sum; done; touch /tmp/ended"
guest(f"({writer}) >/dev/null 2>&1 & echo begun")


def files():
    return {name for name in os.listdir(os.environ["CUMULET_DATA_DIR"] + "/volumes") if not name.endswith(".part")}


def opened():
    pid = subprocess.run(["pgrep", "qemu-system"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0]
    links = (os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    return {link for link in links if "/volumes/" in link}


storage = j.cloud.block_storage
kept = []
for turn in range(8):
    kept.append(storage.create_snapshot(volume_id=data, name=f"turn {turn}", is_forced=True))
    j.within(20, f"snapshot {turn} of a disk in use", lambda: storage.get_snapshot(kept[-1].id).status == "available")
    if len(kept) > 2:
        storage.delete_snapshot(kept.pop(0).id)
j.within(60, "what deleted snapshots leave is merged", lambda: len(files()) == 4)
j.within(20, "and the machine has no more files open", lambda: len(opened()) == 4 and not any("deleted" in name for name in opened()))
guest("touch /tmp/end")
j.within(30, "the guest went on writing", lambda: guest("ls /tmp/ended") == "/tmp/ended")
j.check("what it wrote is on the disk", guest(
    "sudo umount /mnt; echo 3 | sudo tee /proc/sys/vm/drop_caches >/dev/null; sudo mount /dev/vdb /mnt; cd /mnt; "
    "for f in f*; do [ \"$(md5sum < $f)\" = \"$(cat /tmp/$f.sum)\" ] || echo $f; done; cat a b; rm -f /mnt/f*; echo done"
) == "before\nafter\ndone")
for snapshot in kept:
    storage.delete_snapshot(snapshot.id)
openstack("--os-volume-api-version", "3.42", "volume", "set", "--size", "2", "data")
j.within(10, "the guest sees that it has grown", lambda: guest("cat /sys/block/vdb/size") == str(2 << 21))
j.check("and so does its file system", guest("sudo resize2fs /dev/vdb >/dev/null 2>&1; sudo umount /mnt && echo done") == "done")
openstack("server", "remove", "volume", "one", "data")
j.within(30, "detached, it is everybody's again", is_now("data", "available"))
j.check("and gone from the guest", guest("ls /sys/block/vdb || echo none") == "none")
j.delete_server(one)

openstack(
    "server", "create", "--image", "tiny", "--boot-from-volume", "1", "--flavor", "m1.tiny", "--network", "inner",
    "--security-group", "door", "--key-name", "journey", "--wait", "two",
)
two = j.cloud.compute.find_server("two", ignore_missing=False)
second = address_of(two)
j.within(120, "a guest boots from a volume", lambda: j.guest(second, "hostname") == "two")
two = j.cloud.compute.get_server(two.id)
j.check("its server has no image, and the volume", lambda: not (two.image or {}).get("id") and len(two.attached_volumes) == 1)
openstack("volume", "create", "--snapshot", "then", "restored")
openstack("server", "add", "volume", "two", "data")
openstack("server", "add", "volume", "two", "restored")


def guest(command):
    return j.guest(second, command)


restored = volume("restored").id
j.within(
    10, "both volumes come to it",
    lambda: guest("cat /sys/block/vdb/serial; echo; cat /sys/block/vdc/serial") == f"{data[:20]}\n{restored[:20]}",
)
j.check("what the first guest wrote is there", guest("sudo mount -o ro /dev/vdb /mnt && cat /mnt/a /mnt/b && sudo umount /mnt") == "before\nafter")
j.check("in the snapshot as it was then", guest("sudo mount -o ro,noload /dev/vdc /mnt; cat /mnt/a; ls /mnt/b || echo none; sudo umount /mnt") == "before\nnone")
openstack("server", "remove", "volume", "two", "restored")
j.within(30, "one of them goes", is_now("restored", "available"))
j.check("the guest writes on its root disk", guest("echo kept | sudo tee /etc/kept && sync") == "kept")
openstack("server", "reboot", "--hard", "--wait", "two")
j.within(120, "that survives a reboot", lambda: guest("cat /etc/kept") == "kept")
j.check("and the other volume is there again", guest("cat /sys/block/vdb/serial") == data[:20])
j.end()
