# kill -9 of the daemon in the middle of whatever is done to a server, ten times at random moments (ROUNDS). A server that
# ran before must never notice; the other comes to rest with what was asked or with a reason; nothing is leaked.

rounds=${ROUNDS:-10}
cumulet up
export OS_CLOUD=cumulet
cumulet image build tiny --upload >/dev/null
openstack network create net -f value -c id >/dev/null
openstack subnet create sub --network net --subnet-range 10.0.0.0/24 -f value -c id >/dev/null
openstack network create second -f value -c id >/dev/null
openstack subnet create second --network second --subnet-range 10.0.1.0/24 -f value -c id >/dev/null
openstack server create witness --flavor m1.tiny --image tiny --network net --wait -f value -c status >/dev/null
witness=$(pgrep -f qemu-system)

check "$rounds kills while a server is acted on" python3 "$repo/crates/acceptance/kernel/kills.py" "$rounds"

check "the server that ran before never noticed" test "$(pgrep -f qemu-system)" = "$witness"
check "it is still ACTIVE" test "$(openstack server show witness -f value -c status)" = ACTIVE
openstack server delete witness --wait
check "no machine's files are left" test -z "$(ls "$CUMULET_DATA_DIR/vms" 2>/dev/null)"
check "no port is left" test -z "$(openstack port list --device-owner compute:nova -f value -c ID)"
usages=$(curl -sf -H "X-Auth-Token: $(openstack token issue -f value -c id)" -H "OpenStack-API-Version: placement 1.9" \
  "$(cumulet status --json | jq -r .url)/placement/usages?project_id=$(openstack project show admin -f value -c id)")
check "no allocation is left" jq -e '.usages | all(.[]; . == 0)' <<<"$usages"
cumulet down
cumulet destroy --yes
