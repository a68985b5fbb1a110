# What an operator does: two clouds side by side, logs by request, a reboot, TLS, a service, an end without database.

# Somebody else's things, with names as near to ours as can be: nothing here may touch them.
ip netns add cumulet-n-deadbeef-00
ip netns add other-n-deadbeef-00
ip link add cml-other type veth peer name other0
nft add table ip cumulet_other
export CUMULET_DEMO=true
tiny=$(cumulet image build tiny)
# Units that are installed here are not this machine's.
[ ! -d /etc/systemd/system ] || mount -t tmpfs tmpfs /etc/systemd/system
before=$(footprint)

findings=$(cumulet doctor --json) || code=$?
check "the doctor answers" jq -e '.findings | all(.[]; .id and .severity and .remedy)' <<<"$findings"
check "and nothing keeps a cloud from running here" test "${code:-0}" -ne 1
second=(--name second --data-dir "$work/second")
check "cumulet up" env CUMULET_LOG=debug cumulet up
check "settings tell where they come from" sh -c "cumulet config show | grep -Eq 'data-dir +$CUMULET_DATA_DIR +environment'"
check "a second cloud of another name" cumulet up "${second[@]}"
url() { cumulet status --json "$@" | jq -r .url; }
check "has a network and a port of its own" test "$(url) $(url "${second[@]}")" = "http://172.24.4.1:5000 http://172.24.5.1:5001"
if said=$(CUMULET_DATA_DIR="$work/third" cumulet up --listen 127.0.0.1:5009 2>&1); then not_ok "a name that is taken: it started"; else
  check "a name that is taken is refused" grep -q 'another cloud named `cumulet` runs on this machine' <<<"$said"
fi
CUMULET_DATA_DIR="$work/third" cumulet destroy --yes >/dev/null 2>&1
check "both are in clouds.yaml, each with its demo project" test \
  "$(grep -cE '^  cumulet(-second)?(-demo)?:' "$HOME/.config/openstack/clouds.yaml")" -eq 4

export OS_CLOUD=cumulet-demo
check "the demo project has a network, a router and a group" test \
  "$(openstack network show demo -f value -c name) $(openstack router show demo -f value -c name) $(openstack security group show open -f value -c name)" = "demo demo open"
check "and the tiny image is there" test "$(openstack image show tiny -f value -c status)" = active
check "a server of the demo user" openstack server create vm --image tiny --flavor m1.tiny --network demo \
  --security-group open --wait -f value -c status
fip=$(openstack floating ip create public -f value -c floating_ip_address)
check "with a floating IP" openstack server add floating ip vm "$fip"
pings() { ping -c 1 -W 1 "$fip"; }
check "answers pings" within 180 pings
check "a server on the second cloud" openstack --os-cloud cumulet-second-demo server create vm2 --image tiny --flavor m1.tiny --network demo \
  --security-group open --wait -f value -c status
check "runs as another user" test "$(ps -eo uid,args | awk '/[q]emu-system/ {print $1}' | sort -u | wc -l)" -eq 2

# The request that made the port says so in every line that it caused, also in reconcilers.
port=$(openstack port create --network demo logged -f value -c id)
request=$(cumulet logs --json | jq -r 'select(.method == "POST" and .path == "/v2.0/ports" and .status == 201) | .request_id' | tail -n 1)
caused() { cumulet logs --request "$request" | grep -q 'rules loaded'; }
check "what a reconciler did for a request is found by the request's id" within 10 caused
check "lines of a server are found by its id" test -n "$(cumulet logs --server "$(openstack server show vm -f value -c id)")"
openstack port delete "$port"

witness=$(pgrep -f "qemu-system.*$(openstack server show vm -f value -c id)")
check "the second cloud is destroyed" cumulet destroy --yes "${second[@]}"
check "nothing of it is left" test -z "$(ip netns list | grep cumulet-second || true)$(nft list tables | grep second || true)$(ls -d "$work/second" 2>/dev/null || true)"
check "the first one's server never noticed" test "$(pgrep qemu-system)" = "$witness"
check "and is reached as before" pings
check "clouds.yaml has the first one's entries" test "$(grep -cE '^  cumulet(-demo)?:' "$HOME/.config/openstack/clouds.yaml")" -eq 2

stopped() { [ "$(cumulet status --json | jq .running)" = false ]; }
killed() { kill -9 "$(cumulet status --json | jq -r .pid)" && within 5 stopped; }
check "a kill of the daemon" killed
check "and a start" cumulet up
check "leave the server alone" test "$(pgrep qemu-system)" = "$witness"

check "cumulet down" cumulet down
check "ends the machines" test -z "$(pgrep qemu-system || true)"
check "and takes the networks away" test -z "$(ip netns list | grep '^cumulet-' | grep -v deadbeef || true)$(ip -o link | grep cml- | grep -v cml-other || true)"
check "cumulet up again" cumulet up
check "the server that ran runs again" within 120 pings
check "and is ACTIVE" within 30 test "$(openstack server show vm -f value -c status)" = ACTIVE

# A reboot: no process, no namespace, no link, no rule of ours is left, and the kernel calls itself another boot.
killed
kill -9 "$(pgrep qemu-system)"
for ns in $(ip netns list | awk '/^cumulet-[nr]-/ && !/deadbeef/ {print $1}'); do ip netns delete "$ns"; done
for link in $(ip -o link | grep -o 'cml-[0-9a-f]*' | grep -v cml-other | sort -u); do ip link delete "$link" 2>/dev/null || true; done
for table in $(nft list tables ip | awk '/ cumulet_/ && !/other/ {print $3}'); do nft delete table ip "$table"; done
cat /proc/sys/kernel/random/uuid >"$work/boot_id"
mount --bind "$work/boot_id" /proc/sys/kernel/random/boot_id
check "after a reboot: cumulet up" cumulet up
check "the server that ran runs again after it" within 180 pings
check "as a new process" test "$(pgrep qemu-system)" != "$witness"
umount /proc/sys/kernel/random/boot_id

# As a service: systemd is told when it is ready and when it stops, and machines outlive it.
check "cumulet down before the service" cumulet down
python3 - "$work/notify" >"$work/notified" <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)
PY
listener=$!
within 5 test -S "$work/notify"
NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=400000 cumulet up --foreground >"$work/service.log" 2>&1 &
service=$!
check "systemd is told READY" within 30 grep -q '^READY=1' "$work/notified"
check "and that all is well" within 10 grep -q '^WATCHDOG=1' "$work/notified"
check "the server runs again under it" within 180 pings
witness=$(pgrep qemu-system)
kill -TERM "$service"; wait "$service" || true
check "STOPPING is told" grep -q '^STOPPING=1' "$work/notified"
check "the machine outlives the service" test "$(pgrep qemu-system)" = "$witness"
kill "$listener"

# TLS: every URL is https, and clients know whom to trust.
check "cumulet up --tls" cumulet up --tls
check "the catalog is https" test -z "$(openstack --os-cloud cumulet catalog list -f json | grep -o 'http://' || true)"
check "clients trust it by clouds.yaml" openstack --os-cloud cumulet image list -f value
check "so do ours" sh -c "cumulet image build tiny --upload --os-cloud cumulet >/dev/null"
check "plain HTTP is told" sh -c "curl -s http://172.24.4.1:5000/ | grep -q 'begin the URL with https'"
check "the server is still there" test "$(openstack server show vm -f value -c status)" = ACTIVE

if [ -d /etc/systemd/system ]; then
  check "cumulet systemd install" cumulet systemd install
  check "writes a unit" grep -q 'ExecStart=.*cumulet up --foreground' /etc/systemd/system/cumulet.service
fi

# The worst end: no daemon, no database. The ledger knows.
killed
echo broken >"$CUMULET_DATA_DIR/cumulet.db"
rm -f "$CUMULET_DATA_DIR"/control.sock "$CUMULET_DATA_DIR"/cumulet.db-* "$CUMULET_DATA_DIR"/vms/*/pid
check "destroy without daemon and database" cumulet destroy --yes
after=$(footprint)
if [ "$before" = "$after" ]; then ok "the machine is as it was"; else not_ok "the machine is as it was"; diff <(say "$before") <(say "$after") || true; fi
check "strangers' things are still there" test \
  "$(ip netns list | grep -c deadbeef) $(ip -o link | grep -c cml-other) $(nft list tables ip | grep -c cumulet_other)" = "2 2 1"
if [ -d /etc/systemd/system ]; then
  check "the unit is gone as well" test ! -e /etc/systemd/system/cumulet.service
  umount /etc/systemd/system
fi
ip netns delete cumulet-n-deadbeef-00; ip netns delete other-n-deadbeef-00; ip link delete cml-other; nft delete table ip cumulet_other
export CUMULET_DEMO=false OS_CLOUD=cumulet
