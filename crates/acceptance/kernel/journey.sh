# A person with the `openstack` client: from nothing to a guest that answers ssh, and back to nothing.

before=$(footprint)

check "cumulet up" cumulet up
check "it says that it runs" cumulet status
export OS_CLOUD=cumulet
services="block-storage compute identity image key-manager load-balancer network placement volumev3"
check "the catalog lists all services" test "$(openstack catalog list -f value -c Type | sort | xargs)" = "$services"

tiny=$(cumulet image build tiny)
check "an image is uploaded" openstack image create tiny --file "$tiny" --disk-format qcow2 --container-format bare -f value -c id
check "it is active and inspected" test "$(openstack image show tiny -f value -c status)" = active
openstack image save --file "$work/copy.qcow2" tiny
check "it comes back byte for byte" cmp "$tiny" "$work/copy.qcow2"

check "a network" openstack network create net -f value -c id
check "a subnet" openstack subnet create sub --network net --subnet-range 10.0.0.0/24 -f value -c id
check "a router" openstack router create r -f value -c id
check "with a gateway" openstack router set r --external-gateway public
check "and an interface" openstack router add subnet r sub
check "a security group" openstack security group create web -f value -c id
check "that lets ssh in" openstack security group rule create web --protocol tcp --dst-port 22 -f value -c id
check "and ping" openstack security group rule create web --protocol icmp -f value -c id
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
check "a keypair" openstack keypair create k --public-key "$work/key.pub" -f value -c name
check "a server" openstack server create vm --flavor m1.tiny --image tiny --network net --security-group web \
  --key-name k --wait -f value -c status
check "it is ACTIVE" test "$(openstack server show vm -f value -c status)" = ACTIVE
fip=$(openstack floating ip create public -f value -c floating_ip_address)
check "a floating IP" openstack server add floating ip vm "$fip"

guest() { ssh -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
  -o ConnectTimeout=3 -o BatchMode=yes "cumulet@$fip" "$@"; }
pings() { ping -c 1 -W 1 "$fip"; }

check "the guest answers ssh" within 120 guest true
check "its name came by metadata" test "$(guest hostname)" = vm
check "it has the address that the API says" guest "ip addr show | grep -q '$(openstack server show vm -f json -c addresses | grep -o '10\.0\.0\.[0-9]*' | head -n 1)/'"
check "metadata answers inside" guest "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json | grep -q '\"name\": *\"vm\"'"
api=$(openstack catalog show identity -f json | grep -o 'http://[0-9.:]*' | head -n 1)
check "the APIs answer inside" guest "wget -q -O - $api/ | grep -q cumulet"
# The subnet names no DNS server: the DHCP address answers with what this machine's resolver says.
python3 "$repo/crates/acceptance/kernel/resolver.py" 192.0.2.7 &
resolver=$!
echo "nameserver 127.0.0.1" > "$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf
resolves() { guest "nslookup anything.example" | grep -q 192.0.2.7; }
check "names resolve inside" within 15 resolves
umount /etc/resolv.conf
kill "$resolver"
check "the console shows the boot" test -n "$(openstack console log show vm | grep -i login)"
check "qemu does not run as root" test -z "$(ps -eo uid,args | awk '$1 == 0 && /[q]emu-system/')"
check "and it is sandboxed" test -n "$(ps -eo args | grep '[q]emu-system' | grep -- '-sandbox on')"

for rule in $(openstack security group rule list web -f value -c ID --ingress); do openstack security group rule delete "$rule"; done
check "the emptied group blocks ssh" within 20 no guest true
check "and ping" within 20 no pings
openstack security group rule create web --protocol tcp --dst-port 22 -f value -c id >/dev/null
check "a new rule opens it again" within 20 guest true

guest 'echo kept | sudo tee /etc/kept >/dev/null; sync'
boot=$(guest cat /proc/sys/kernel/random/boot_id)
check "a reboot" openstack server reboot vm --wait
rebooted() { local now; now=$(guest cat /proc/sys/kernel/random/boot_id) && [ "$now" != "$boot" ]; }
check "is a new boot" within 120 rebooted
check "and its disk is kept" test "$(guest cat /etc/kept)" = kept

check "stop" openstack server stop vm
off() { [ "$(openstack server show vm -f value -c status)" = SHUTOFF ]; }
check "it is off" within 90 off
check "start" openstack server start vm
check "it answers again" within 120 guest true

check "the server is deleted" openstack server delete vm --wait
check "no qemu is left" within 10 no pgrep qemu-system
check "no tap is left" test -z "$(for ns in $(ip netns list | awk '{print $1}'); do ip netns exec "$ns" ip -o link | grep ' tap' || true; done)"
openstack floating ip delete "$fip"
openstack router remove subnet r sub
check "router, network, group, key and image are deleted" sh -c \
  'openstack router delete r && openstack network delete net && openstack security group delete web && openstack keypair delete k && openstack image delete tiny'
only_public() { [ "$(ip netns list | wc -l)" -eq 1 ]; }
check "their namespaces are gone" within 10 only_public

check "cumulet down" cumulet down
check "cumulet destroy" cumulet destroy --yes
after=$(footprint)
if [ "$before" = "$after" ]; then ok "the machine is as it was"; else not_ok "the machine is as it was"; diff <(say "$before") <(say "$after") || true; fi
