"""Another daemon than the one that plugged them in knows a machine's volumes."""

from journey import Journey

j = Journey()
two = j.cloud.compute.find_server("two", ignore_missing=False)
two = j.cloud.compute.get_server(two.id)
address = next(a["addr"] for a in two.addresses["inner"] if a["OS-EXT-IPS:type"] == "floating")


def volume(name):
    return j.cloud.block_storage.find_volume(name, ignore_missing=False)


j.check("the guest never noticed", j.guest(address, "cat /etc/kept") == "kept")
data = volume("data")
snapshot = j.cloud.block_storage.create_snapshot(volume_id=data.id, name="later", is_forced=True)
j.within(10, "a snapshot of a volume in use", lambda: j.cloud.block_storage.get_snapshot(snapshot.id).status == "available")
j.check("the guest writes on", j.guest(address, "sudo mount /dev/vdb /mnt && echo last | sudo tee /mnt/c && sync && sudo umount /mnt") == "last")
j.cloud.compute.delete_volume_attachment(two, data)
j.within(30, "the volume is detached", lambda: volume("data").status == "available")
root = two.attached_volumes[0]["id"]
j.delete_server(two)
j.check("the volume that the server booted from stays", j.cloud.block_storage.get_volume(root).status == "available")
j.end()
