"""What there is in a cloud, a line each, sorted: two of these are equal if nothing was lost or made up."""

import openstack

cloud = openstack.connect()
lists = {
    "network": cloud.network.networks(),
    "subnet": cloud.network.subnets(),
    "port": cloud.network.ports(),
    "router": cloud.network.routers(),
    "group": cloud.network.security_groups(),
    "server": cloud.compute.servers(),
    "flavor": cloud.compute.flavors(),
    "image": cloud.image.images(),
    "user": cloud.identity.users(),
    "project": cloud.identity.projects(),
}
for line in sorted(f"{kind} {thing.id} {thing.name} {getattr(thing, 'status', '')}" for kind in lists for thing in lists[kind]):
    print(line)
