# kill -9 of the daemon in the middle of whatever is done to a server, ten times at random moments (ROUNDS). A server that
# ran before must never notice; the other comes to rest with what was asked or with a reason; nothing is leaked. In between
# the daemon's clock jumps by days.

rounds=${ROUNDS:-10}
export ADRIFT=$work/adrift ADRIFT_LIBRARY=$work/adrift.so
head -c 8 /dev/zero >"$ADRIFT"
cc -O1 -shared -fPIC -o "$ADRIFT_LIBRARY" "$repo/crates/acceptance/kernel/adrift.c"
LD_PRELOAD=$ADRIFT_LIBRARY cumulet up
export OS_CLOUD=cumulet
cumulet image build tiny --upload >/dev/null
openstack network create net -f value -c id >/dev/null
openstack subnet create sub --network net --subnet-range 10.0.0.0/24 -f value -c id >/dev/null
openstack network create second -f value -c id >/dev/null
openstack subnet create second --network second --subnet-range 10.0.1.0/24 -f value -c id >/dev/null
openstack router create r --external-gateway public -f value -c id >/dev/null
openstack router add subnet r sub
openstack security group rule create default --protocol tcp --dst-port 22 -f value -c id >/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$work/witness-key"
openstack keypair create k --public-key "$work/witness-key.pub" -f value -c name >/dev/null
openstack server create witness --flavor m1.tiny --image tiny --network net --key-name k --wait -f value -c status >/dev/null
witness=$(pgrep qemu-system)
fip=$(openstack floating ip create public -f value -c floating_ip_address)
openstack server add floating ip witness "$fip"
export WITNESS="ssh -i $work/witness-key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
  -o ConnectTimeout=10 -o BatchMode=yes cumulet@$fip"
check "a server that will watch answers" within 120 $WITNESS true
boot=$($WITNESS cat /proc/sys/kernel/random/boot_id)

check "$rounds kills while a server is acted on, and a clock that jumps by days" python3 "$repo/crates/acceptance/kernel/kills.py" "$rounds"

check "the server that ran before never noticed" test "$(pgrep qemu-system)" = "$witness"
check "it has not booted since" test "$($WITNESS cat /proc/sys/kernel/random/boot_id)" = "$boot"
check "it is still ACTIVE" test "$(openstack server show witness -f value -c status)" = ACTIVE
openstack floating ip delete "$fip"
openstack server delete witness --wait
check "no machine's files are left" test -z "$(ls "$CUMULET_DATA_DIR/vms" 2>/dev/null)"
check "no port is left" test -z "$(openstack port list --device-owner compute:nova -f value -c ID)"
usages=$(curl -sf -H "X-Auth-Token: $(openstack token issue -f value -c id)" -H "OpenStack-API-Version: placement 1.9" \
  "$(cumulet status --json | jq -r .url)/placement/usages?project_id=$(openstack project show admin -f value -c id)")
check "no allocation is left" jq -e '.usages | all(.[]; . == 0)' <<<"$usages"
cumulet down
cumulet destroy --yes
