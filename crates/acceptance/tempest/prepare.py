#!/usr/bin/env python3
"""prepare.py OUT: makes what Tempest must find in a cloud and writes OUT/etc/tempest.conf.

Over the public APIs only and as often as you like. OS_* of an admin say which cloud. Two public images, two flavors, the
usual roles, a default subnet pool; an external network if the cloud has none.
"""

import argparse
import base64
import configparser
import os
import subprocess
import time

import openstack

# Options of [service_available], and the catalog's types that make them true.
SERVICES = {
    "nova": ("compute",),
    "neutron": ("network",),
    "glance": ("image",),
    "cinder": ("block-storage", "volumev3"),
    "swift": ("object-store",),
    "heat": ("orchestration",),
    "barbican": ("key-manager",),
    "designate": ("dns",),
    "load_balancer": ("load-balancer",),
    "magnum": ("container-infra", "container-infrastructure-management"),
    "manila": ("shared-file-system", "sharev2"),
    "horizon": (),
}
ROLES = {
    None: ["member", "reader", "manager", "service"],
    "object-store": ["ResellerAdmin"],
    "key-manager": ["creator", "observer", "audit", "key-manager:service-admin"],
    "orchestration": ["heat_stack_owner"],
    "load-balancer": [
        f"load-balancer_{role}" for role in ("member", "admin", "observer", "global_observer", "quota_admin")
    ],
}


def ensure_roles(cloud, types):
    present = {role.name for role in cloud.identity.roles()}
    for service, names in ROLES.items():
        if service is None or service in types:
            for name in names:
                if name not in present:
                    cloud.identity.create_role(name=name)


def ensure_image(cloud, name, file):
    image = cloud.image.find_image(name) or cloud.create_image(
        name,
        filename=file,
        disk_format="qcow2",
        container_format="bare",
        visibility="public",
        wait=True,
        hw_rng_model="virtio",
    )
    return image.id


def ensure_web_guest(cloud, image, flavor):
    """The image with the programs that tests of load balancers start in their members."""
    name = "tempest-web-guest"
    found = cloud.image.find_image(name)
    if found:
        return found.id
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "web-guest.sh")
    with open(script, "rb") as file:
        data = base64.b64encode(file.read()).decode()
    server = cloud.compute.create_server(
        name=name, image_id=image, flavor_id=flavor, networks="none", config_drive=True, user_data=data
    )
    end = time.monotonic() + 300
    # It stops by itself when it has done so.
    while cloud.compute.get_server(server).status != "SHUTOFF":
        if time.monotonic() > end:
            raise SystemExit(f"{name} does not come to its end: {cloud.compute.get_server_console_output(server)}")
        time.sleep(1)
    made = cloud.compute.create_server_image(server, name, wait=True, timeout=300)
    cloud.image.update_image(made, visibility="public")
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server)
    return made.id


def ensure_flavor(cloud, name, ram):
    return (cloud.compute.find_flavor(name) or cloud.compute.create_flavor(name=name, ram=ram, vcpus=1, disk=1)).id


def ensure_shared_type(cloud, name):
    """Of volumes that several servers may have at once."""
    if not any(kind.name == name for kind in cloud.block_storage.types()):
        cloud.block_storage.create_type(name=name, extra_specs={"multiattach": "<is> True"})
    return name


def ensure_external(cloud, cidr):
    external = list(cloud.network.networks(is_router_external=True))
    if external:
        return next((n for n in external if n.name == "public"), external[0])
    network = cloud.network.create_network(name="public", is_router_external=True)
    prefix = cidr.rsplit(".", 1)[0]
    cloud.network.create_subnet(
        network_id=network.id,
        name="public-subnet",
        ip_version=4,
        cidr=cidr,
        gateway_ip=f"{prefix}.1",
        allocation_pools=[{"start": f"{prefix}.10", "end": f"{prefix}.250"}],
        is_dhcp_enabled=False,
    )
    return network


def take_time_for_copies(cloud):
    """Tests look at a server while its disk is copied, which takes a simulated host no time at all."""
    root = os.environ["OS_AUTH_URL"].split("/identity")[0]
    rules = {"host": [{"operation": "snapshot", "delay_ms": 500}]}
    cloud.session.put(f"{root}/simulate/faults", json=rules, authenticated=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--image", help="a guest's qcow2; without it an empty disk, enough for a simulated cloud")
    parser.add_argument("--ssh-user", help="guests are logged in to: the image must run sshd for this user")
    parser.add_argument("--simulated", action="store_true", help="the cloud is a simulated one")
    parser.add_argument("--test-server", help="the program of Octavia's scenario tests, which guests run as members")
    parser.add_argument("--web", help="a server with image.raw and image.qcow2 that the cloud may import from")
    parser.add_argument("--public-cidr", default="172.24.4.0/24")
    args = parser.parse_args()
    out = os.path.abspath(args.out)
    for directory in ("etc", "logs", "lock"):
        os.makedirs(f"{out}/{directory}", exist_ok=True)

    cloud = openstack.connect()
    catalog = cloud.session.auth.get_access(cloud.session).service_catalog.catalog
    types = {service["type"] for service in catalog}
    conf = configparser.ConfigParser(interpolation=None)
    conf.read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "features.conf"))

    def put(section, **values):
        if section != "DEFAULT" and not conf.has_section(section):
            conf.add_section(section)
        for key, value in values.items():
            conf.set(section, key, str(value).lower() if isinstance(value, bool) else str(value))

    ensure_roles(cloud, types)
    if args.simulated:
        take_time_for_copies(cloud)
    env = os.environ
    put("DEFAULT", log_dir=f"{out}/logs")
    put("oslo_concurrency", lock_path=f"{out}/lock")
    put(
        "auth",
        admin_username=env["OS_USERNAME"],
        admin_password=env["OS_PASSWORD"],
        admin_project_name=env["OS_PROJECT_NAME"],
    )
    region = env.get("OS_REGION_NAME", "RegionOne")
    put("identity", uri=env["OS_AUTH_URL"], uri_v3=env["OS_AUTH_URL"], region=region)
    put("service_available", **{name: bool(types & set(kinds)) for name, kinds in SERVICES.items()})

    image = args.image
    if not image:
        image = f"{out}/empty.qcow2"
        if not os.path.exists(image):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    put("scenario", img_file=image)
    if args.web:
        put("image", http_image=f"{args.web}/image.raw", http_qcow2_image=f"{args.web}/image.qcow2")
    if "image" in types:
        put(
            "compute",
            image_ref=ensure_image(cloud, "tempest-img", image),
            image_ref_alt=ensure_image(cloud, "tempest-img-alt", image),
        )
    if "compute" in types:
        hosts = sum(1 for s in cloud.compute.services(binary="nova-compute") if s.state == "up")
        put(
            "compute",
            flavor_ref=ensure_flavor(cloud, "tempest.nano", 128),
            flavor_ref_alt=ensure_flavor(cloud, "tempest.micro", 192),
            min_compute_nodes=hosts,
        )
    if types & set(SERVICES["cinder"]):
        put("volume", volume_type_multiattach=ensure_shared_type(cloud, "tempest-multiattach"))
    if "network" in types:
        public = ensure_external(cloud, args.public_cidr)
        put("network", public_network_id=public.id, floating_network_name=public.name)
        put("validation", network_for_ssh=public.name)
        # `all` would run the tests of extensions that the cloud does not announce.
        aliases = sorted(e.alias for e in cloud.network.extensions())
        put("network-feature-enabled", api_extensions=",".join(aliases))
    if "load-balancer" in types:
        # One provider by three names: tests of amphorae are not for it.
        providers = ",".join(f"{p.name}:{p.description}" for p in cloud.load_balancer.providers())
        put("load_balancer", enabled_provider_drivers=providers)
    if args.test_server:
        guest = ensure_web_guest(cloud, conf.get("compute", "image_ref"), conf.get("compute", "flavor_ref"))
        put("compute", image_ref=guest)
        put("load_balancer", test_server_path=args.test_server, enable_security_groups=True)
    user = args.ssh_user or "cirros"
    put("validation", run_validation=bool(args.ssh_user), image_ssh_user=user, image_alt_ssh_user=user)
    with open(f"{out}/etc/tempest.conf", "w") as file:
        conf.write(file)


if __name__ == "__main__":
    main()
