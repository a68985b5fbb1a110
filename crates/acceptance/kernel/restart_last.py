"""Both servers can be deleted, and their network with them."""

from journey import Journey

j = Journey()
net = j.cloud.network
for server in list(j.cloud.compute.servers()):
    j.delete_server(server)
router = net.find_router("r")
net.delete_ip(next(iter(net.ips())))
net.remove_interface_from_router(router, subnet_id=net.find_subnet("inner").id)
net.delete_router(router)
net.delete_network(net.find_network("inner"))
j.check("no server and no port is left", not list(j.cloud.compute.servers()) and not list(net.ports()))
j.end()
