"""What `restart_before` made is there, works, and is in the state that it was in."""

from journey import Journey

j = Journey()
floating = next(iter(j.cloud.network.ips())).floating_ip_address
j.within(150, "the guest answers again at its floating IP", lambda: j.guest(floating, "cat /etc/kept") == "kept")
states = {server.name: server.status for server in j.cloud.compute.servers()}
j.check(f"the servers are as they were: {states}", states == {"on": "ACTIVE", "off": "SHUTOFF"})
j.end()
