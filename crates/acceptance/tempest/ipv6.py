#!/usr/bin/env python3
"""A way for this machine to tenants' IPv6 networks: tests talk to load balancers' own addresses, as IPv6 has no floating IPs.

Octavia's tests take the VIP's subnet from a pool of this name, if there is one, and give it to a router of this name, which has
a gateway; the pool's prefix is led there. OS_* of an admin say which cloud. Needs root.
"""

import subprocess

import openstack

POOL, ROUTER, PREFIX = "shared-default-subnetpool-v6", "router1", "fd24:5::/56"


def main():
    cloud = openstack.connect()
    public = next(cloud.network.networks(is_router_external=True))
    outside = cloud.network.create_subnet(
        network_id=public.id, ip_version=6, cidr="fd24:4::/64", gateway_ip="fd24:4::1", is_dhcp_enabled=False
    )
    cloud.network.create_subnet_pool(name=POOL, prefixes=[PREFIX], default_prefix_length=64, is_shared=True)
    router = cloud.network.create_router(name=ROUTER, external_gateway_info={"network_id": public.id})
    addresses = router.external_gateway_info["external_fixed_ips"]
    hop = next(address["ip_address"] for address in addresses if address["subnet_id"] == outside.id)
    subprocess.run(["ip", "-6", "route", "add", PREFIX, "via", hop], check=True)


if __name__ == "__main__":
    main()
