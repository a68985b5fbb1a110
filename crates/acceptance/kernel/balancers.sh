# A load balancer as the guide for one machine makes it: two web servers that answer in turn behind a floating IP, a monitor
# that takes one out, HAProxy and the daemon killed, and nothing left in the end.

before=$(footprint)
check "cumulet up" cumulet up
export OS_CLOUD=cumulet
tiny=$(cumulet image build tiny)
{
  openstack image create tiny --file "$tiny" --disk-format qcow2 --container-format bare
  openstack network create net
  openstack subnet create sub --network net --subnet-range 10.0.0.0/24
  openstack router create r
  openstack router set r --external-gateway public
  openstack router add subnet r sub
  openstack security group create web
  openstack security group rule create web --protocol tcp --dst-port 80
} >/dev/null
printf '#!/bin/sh\nmkdir -p /tmp/www && hostname > /tmp/www/index.html && httpd -p 80 -h /tmp/www\n' > "$work/web.sh"
check "two web servers" openstack server create web --min 2 --max 2 --flavor m1.tiny --image tiny --network net \
  --security-group web --user-data "$work/web.sh" -f value -c status
begin=$SECONDS
check "a load balancer" openstack loadbalancer create --name lb --vip-subnet-id sub --wait -f value -c provisioning_status
check "with a listener" openstack loadbalancer listener create --name http --protocol HTTP --protocol-port 80 \
  --insert-headers X-Forwarded-For=true --wait lb -f value -c id
check "a pool" openstack loadbalancer pool create --name pool --listener http --protocol HTTP \
  --lb-algorithm ROUND_ROBIN --wait -f value -c id
check "and a monitor" openstack loadbalancer healthmonitor create --name monitor --delay 1 --timeout 1 --max-retries 1 \
  --max-retries-down 1 --type HTTP --url-path /index.html --wait pool -f value -c id
check "the servers are ACTIVE" within 60 sh -c 'test "$(openstack server list --name web -f value -c Status | xargs)" = "ACTIVE ACTIVE"'
for n in 1 2; do
  address=$(openstack server show "web-$n" -f json -c addresses | grep -o '10\.0\.0\.[0-9]*' | head -n 1)
  check "web-$n is a member" openstack loadbalancer member create --name "web-$n" --address "$address" --protocol-port 80 \
    --subnet-id sub --wait pool -f value -c id
done
fip=$(openstack floating ip create public --port "$(openstack loadbalancer show lb -f value -c vip_port_id)" \
  -f value -c floating_ip_address)
answer() { curl -sf -m 3 "http://$fip/index.html"; }
both() { [ "$(for _ in 1 2 3 4; do answer; done | sort | uniq -c | awk '{print $1, $2}' | xargs)" = "2 web-1 2 web-2" ]; }
online() { [ "$(openstack loadbalancer member list pool -f value -c operating_status | xargs)" = "ONLINE ONLINE" ]; }
check "the monitor finds both serving" within 240 online
check "both answer in turn at the floating IP" within 10 both
check "the load balancer counts them" test "$(openstack loadbalancer stats show lb -f value -c total_connections)" -ge 4
say "# $((SECONDS - begin)) s from the load balancer's create"

haproxies() { ps -eo pid,args | awk '/[h]aproxy .*-f/ {print $1}' | xargs; }
pid=$(haproxies)
check "there is one HAProxy" test "$(wc -w <<<"$pid")" -eq 1
kill -9 "$pid"
check "which is made anew when it is killed" within 20 both
pid=$(haproxies)
kill -9 "$(cumulet status --json | jq -r .pid)"
check "the load balancer serves without the daemon" both
check "which finds it again" cumulet up
check "as it was" test "$(haproxies)" = "$pid"
check "and serving" both

# On one connection, before and after a change that starts HAProxy anew.
resting() {
  python3 - "$fip" <<'PYTHON'
import http.client, subprocess, sys
connection = http.client.HTTPConnection(sys.argv[1], timeout=10)
def asked():
    connection.request("GET", "/index.html")
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200
assert asked()
connection.auto_open = 0
change = ["openstack", "loadbalancer", "listener", "set", "--connection-limit", "1000", "--wait", "http"]
subprocess.run(change, check=True)
assert asked()
PYTHON
}
check "a connection that rests outlives a change" resting
check "which all see" both
check "a listener for Prometheus" openstack loadbalancer listener create --name counters --protocol PROMETHEUS \
  --protocol-port 8088 --wait lb -f value -c id
listener=$(openstack loadbalancer listener show http -f value -c id)
member=$(openstack loadbalancer member show pool web-1 -f value -c id)
told() { curl -s -m 3 "http://$fip:8088/metrics" > "$work/counters" && grep -q "$1" "$work/counters"; }
check "the other one serves on" both
check "it tells of listeners" within 10 told "^octavia_listener_http_requests_total{listener=\"$listener\"} [1-9]"
check "of members" told "^octavia_member_status{pool=\"[^\"]*\",member=\"$member\",state=\"UP\"} 1"
check "of its processor" told '^octavia_loadbalancer_cpu [0-9]'
check "and by no other names" no grep -q haproxy "$work/counters"

check "a server stops" openstack server stop web-1
only() { [ "$(for _ in 1 2 3 4; do answer || echo none; done | sort -u | xargs)" = web-2 ]; }
check "the monitor takes it out" within 30 only
check "and says so" within 20 sh -c "openstack loadbalancer member list pool -f value -c name -c operating_status | grep -q 'web-1 ERROR'"
check "the load balancer is DEGRADED" within 10 sh -c 'test "$(openstack loadbalancer show lb -f value -c operating_status)" = DEGRADED'

check "cumulet destroy with all of it running" cumulet destroy --yes
check "no HAProxy is left" test -z "$(haproxies)"
unset OS_CLOUD
check "nothing is left" diff <(printf '%s\n' "$before") <(footprint)
