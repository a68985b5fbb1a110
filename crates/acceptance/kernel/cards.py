"""A guest gets a second card while it runs, by network and by port, and loses it again; and it reaches the APIs over TLS by
the authority that its vendor data names."""

import json
import subprocess

import yaml

from journey import Journey, until

j = Journey()
net = j.cloud.network
public = net.find_network("public", ignore_missing=False)


def network(name, third):
    made = net.create_network(name=name)
    return made, net.create_subnet(network_id=made.id, name=name, ip_version=4, cidr=f"10.0.{third}.0/24")


first, subnet = network("first", 1)
second, _ = network("second", 2)
router = net.create_router(name="r", external_gateway_info={"network_id": public.id})
net.add_interface_to_router(router, subnet_id=subnet.id)
door = net.create_security_group(name="door")
net.create_security_group_rule(security_group_id=door.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22)
net.create_security_group_rule(security_group_id=door.id, direction="ingress", protocol="icmp")
j.keypair()
vm = j.server("vm", [{"uuid": first.id}], security_groups=[{"name": "door"}])
floating = net.create_ip(floating_network_id=public.id, port_id=j.port_of(vm, first).id)
fip = floating.floating_ip_address


def openstack(*words):
    return subprocess.run(["openstack", *words], check=True, capture_output=True, text=True).stdout.strip()


def guest(command):
    return j.guest(fip, command)


def cards():
    return (guest("ls /sys/class/net") or "").split()


j.within(120, "the guest answers", lambda: guest("hostname") == "vm")
j.check("it has one card", lambda: [c for c in cards() if c.startswith("eth")] == ["eth0"])


def comes(what, port):
    """The card is there, with the port's hardware address, and the guest has the address that the API says."""
    address, mac = port.fixed_ips[0]["ip_address"], port.mac_address
    j.within(30, f"{what}: the card appears in the running guest", lambda: mac in (guest("cat /sys/class/net/eth1/address") or ""))
    j.within(
        60, f"{what}: the guest gets the address that the API says",
        lambda: address in (guest("ip -4 addr show dev eth1; sudo udhcpc -i eth1 -n -q >/dev/null 2>&1") or ""),
    )
    j.check(f"{what}: the guest still has its first address", lambda: guest("hostname") == "vm")


def goes(what):
    j.within(60, f"{what}: the card is gone from the guest", lambda: cards() and "eth1" not in cards())


openstack("server", "add", "network", "vm", "second")
port = j.port_of(vm, second)
comes("a network added", port)
j.check("the server tells both addresses", lambda: set(j.cloud.compute.get_server(vm.id).addresses) == {"first", "second"})
openstack("server", "remove", "network", "vm", "second")
goes("a network removed")
j.check("and its port as well", lambda: net.find_port(port.id) is None)

own = net.create_port(network_id=second.id, name="own", fixed_ips=[{"ip_address": "10.0.2.77"}])
openstack("server", "add", "port", "vm", "own")
comes("a port added", net.get_port(own))
openstack("server", "remove", "port", "vm", "own")
goes("a port removed")
j.check("and stays its owner's", lambda: net.get_port(own).device_id == "")

# TLS. The connection to the API is the guest's own, and so is the authority that vouches for it; what speaks TLS is this
# machine's curl, for which the tiny guest has no room.
vendor = guest("wget -q -O - http://169.254.169.254/openstack/latest/vendor_data.json")
authority = f"{j.work}/authority.pem"


def written():
    words = json.loads(vendor)["cloud-init"]
    trusted = yaml.safe_load(words)["ca_certs"]["trusted"]
    with open(authority, "w") as file:
        file.write("".join(trusted))
    return words.startswith("#cloud-config")


j.check("the guest is told whom to trust, in cloud-init's words", written)
url = j.cloud.session.get_endpoint(service_type="identity").removesuffix("/v3").removesuffix("/identity")
host, port_number = url.removeprefix("https://").split(":")
j.check("the catalog's URLs are https", url.startswith("https://"))
tunnel = subprocess.Popen(
    ["ssh", "-i", j.key, "-N", "-L", f"127.0.0.1:9443:{host}:{port_number}", "-o", "StrictHostKeyChecking=no",
     "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"cumulet@{fip}"]
)


def reaches(*trust):
    argv = ["curl", "-sf", "--max-time", "10", "--connect-to", f"{host}:{port_number}:127.0.0.1:9443", *trust]
    done = subprocess.run([*argv, f"{url}/identity/v3"], capture_output=True, text=True)
    return done.returncode == 0 and '"version"' in done.stdout


try:
    j.check("from the guest an API is reached and trusted", lambda: until(30, lambda: reaches("--cacert", authority)))
    j.check("and by nobody who was not told", lambda: not reaches("--cacert", "/etc/ssl/certs/ca-certificates.crt"))
finally:
    tunnel.terminate()
    tunnel.wait()

j.delete_server(vm)
j.end()
