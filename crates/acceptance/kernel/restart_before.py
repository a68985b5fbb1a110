"""A guest with a floating IP and a file on its disk, and a second one that is off."""

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
on = j.server("on", [{"uuid": inner.id}], security_groups=[{"name": "door"}])
off = j.server("off", [{"uuid": inner.id}], wait=False)
floating = net.create_ip(floating_network_id=public.id, port_id=j.port_of(on, inner).id).floating_ip_address
j.within(120, "the guest answers", lambda: j.guest(floating, "hostname") == "on")
j.check("it writes a file", j.guest(floating, "echo kept | sudo tee /etc/kept && sync") == "kept")
off = j.cloud.compute.wait_for_server(off, interval=0.2, wait=120)
j.cloud.compute.stop_server(off)
off = j.cloud.compute.wait_for_server(off, status="SHUTOFF", interval=0.2, wait=120)
j.check("the second server is off", off.status == "SHUTOFF")
j.end()
