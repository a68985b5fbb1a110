"""One guest suspended, copied, resized, rescued, shelved and rebuilt; what it wrote is there afterwards, or must not be."""

from journey import Journey

j = Journey()
net, compute = j.cloud.network, j.cloud.compute
public = net.find_network("public", ignore_missing=False)
inner = net.create_network(name="inner")
subnet = net.create_subnet(network_id=inner.id, name="inner", ip_version=4, cidr="10.0.1.0/24")
router = net.create_router(name="r", external_gateway_info={"network_id": public.id})
net.add_interface_to_router(router, subnet_id=subnet.id)
door = net.create_security_group(name="door")
net.create_security_group_rule(security_group_id=door.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22)
j.keypair()
wide = compute.create_flavor(name="wide", ram=256, vcpus=2, disk=3)
server = j.server("vm", [{"uuid": inner.id}], security_groups=[{"name": "door"}])
floating = net.create_ip(floating_network_id=public.id, port_id=j.port_of(server, inner).id).floating_ip_address


def guest(command):
    return j.guest(floating, command)


def answers(what):
    j.within(180, what, lambda: guest("hostname") == "vm")


def becomes(status):
    return compute.wait_for_server(server, status=status, interval=0.2, wait=180).status == status


def kept(what):
    j.within(30, f"{what} keeps the file", lambda: guest("cat /etc/kept") == "kept")


answers("the guest answers")
j.check("it writes a file", guest("echo kept | sudo tee /etc/kept && sync") == "kept")
boot = guest("cat /proc/sys/kernel/random/boot_id")

compute.suspend_server(server)
j.check("it is suspended", becomes("SUSPENDED"))
j.check("a suspended guest does not answer", guest("true") is None)
compute.resume_server(server)
j.check("it is resumed", becomes("ACTIVE"))
answers("the resumed guest answers")
j.check("it went on where it was", guest("cat /proc/sys/kernel/random/boot_id") == boot)

seen = set()
j.within(60, "it has a host key", lambda: seen.add(j.host_key(floating)) or seen - {None})
image = compute.create_server_image(server, "snapshot", wait=True, timeout=120)
j.check("a running guest is copied to an image", j.cloud.image.get_image(image.id).status == "active")
j.check("and runs on", guest("cat /proc/sys/kernel/random/boot_id") == boot)

compute.resize_server(server, wide)
j.check("it is resized", becomes("VERIFY_RESIZE"))
answers("the resized guest answers")
j.check("it has two processors", guest("nproc") == "2")
j.check("its disk has grown", guest("cat /sys/block/vda/size") == str(3 << 21))
kept("a resize")
guest("echo lost | sudo tee /etc/lost && sync")
compute.revert_server_resize(server)
j.check("the resize is reverted", becomes("ACTIVE"))
answers("the reverted guest answers")
j.check("its disk is as it was", guest("cat /sys/block/vda/size") == str(1 << 21))
j.check("what it wrote meanwhile is gone", guest("ls /etc/lost") is None)
kept("a revert")
compute.resize_server(server, wide)
becomes("VERIFY_RESIZE")
compute.confirm_server_resize(server)
j.check("the second resize is confirmed", becomes("ACTIVE"))
answers("the larger guest answers")
kept("a confirmed resize")

compute.rescue_server(server)
j.check("it is in rescue", becomes("RESCUE"))
answers("the rescue system answers")
j.check("its file is on the second disk", guest("ls /etc/kept") is None)
found = "sudo sh -c 'mkdir -p /mnt && (mount /dev/vdb1 /mnt || mount /dev/vdb /mnt) 2>/dev/null; cat /mnt/etc/kept'"
j.check("and can be read there", guest(found) == "kept")
compute.unrescue_server(server)
j.check("it is out of rescue", becomes("ACTIVE"))
answers("the rescued guest answers")
kept("a rescue")

# Stable rescue: the server's own disk stays the first.
where = [("hw_rescue_device", "disk"), ("hw_rescue_bus", "virtio")]
patch = [{"op": "add", "path": f"/{name}", "value": value} for name, value in where]
kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
told = j.cloud.image.patch(f"/images/{j.image().id}", json=patch, headers=kind)
j.check("the image says where its disk goes", told.status_code == 200)
compute.rescue_server(server, image_ref=j.image().id)
j.check("it is in stable rescue", becomes("RESCUE"))
answers("the machine in stable rescue answers")
serials = (guest("for disk in /sys/block/vd?; do cat $disk/serial; echo; done") or "").split()
j.check("its own disk is the first", serials[:1] == [server.id[:20]])
j.check("the rescue disk is the last", serials[-1:] == ["rescue"])
compute.unrescue_server(server)
j.check("it is out of stable rescue", becomes("ACTIVE"))
answers("the guest answers after a stable rescue")
kept("a stable rescue")

compute.shelve_server(server)
j.check("it is on the shelf", becomes("SHELVED_OFFLOADED"))
compute.unshelve_server(server)
j.check("it is off the shelf", becomes("ACTIVE"))
answers("the unshelved guest answers")
kept("the shelf")

compute.rebuild_server(server, j.image().id)
j.check("it is rebuilt", becomes("ACTIVE"))
answers("the rebuilt guest answers at its address")
j.check("a rebuild throws the file away", guest("ls /etc/kept") is None)
j.delete_server(server)

server = compute.create_server(name="vm", image_id=image.id, flavor_id=compute.find_flavor("m1.tiny").id, key_name="journey", networks=[{"uuid": inner.id}], security_groups=[{"name": "door"}])
server = compute.wait_for_server(server, interval=0.2, wait=120)
net.update_ip(next(iter(net.ips())), port_id=j.port_of(server, inner).id)
keys = set()
j.within(180, "a server from the snapshot answers", lambda: keys.add(j.host_key(floating)) or guest("hostname") == "vm")
j.within(60, "and has a host key", lambda: keys.add(j.host_key(floating)) or keys - {None})
j.check("of its own, from the first moment", len(keys - {None}) == 1 and keys.isdisjoint(seen - {None}))
kept("the snapshot")
j.delete_server(server)
j.end()
