# Images that come by import, and a guest that boots from one; options of its port's own reach it by DHCP.

# A web server in a namespace of its own: for the cloud somebody else's.
ip netns add web
ip link add web0 type veth peer name eth0 netns web
ip address add 192.0.2.1/30 dev web0
ip link set web0 up
ip -n web address add 192.0.2.2/30 dev eth0
ip -n web link set eth0 up
tiny=$(cumulet image build tiny)
mkdir "$work/www"
cp "$tiny" "$work/www/tiny.qcow2"
echo 'no image' >"$work/www/none.qcow2"
ip netns exec web python3 -m http.server --directory "$work/www" 80 >"$work/web.log" 2>&1 &
web=$!
within 10 curl -sf http://192.0.2.2/none.qcow2

cumulet up
export OS_CLOUD=cumulet
image() { python3 "$repo/crates/acceptance/kernel/empty_image.py" "$1"; }
import() { openstack image import "$@" --wait -f value -c status; }
state() { openstack image show "$1" -f value -c status; }
same() { openstack image save --file "$work/$1" "$1" && cmp "$tiny" "$work/$1"; }

check "an image without data waits for it" test "$(image staged)" = queued
check "data is staged" openstack image stage staged --file "$tiny"
check "it is not an image yet" test "$(state staged)" = uploading
check "glance-direct imports it" import staged --method glance-direct
check "then it is active" within 30 test "$(state staged)" = active
check "byte for byte" same staged

image fetched >/dev/null
check "web-download imports from a server" import fetched --method web-download --uri http://192.0.2.2/tiny.qcow2
check "then it is active as well" within 30 test "$(state fetched)" = active
check "byte for byte as well" same fetched
check "the server was asked" grep -q 'GET /tiny.qcow2' "$work/web.log"

image none >/dev/null
import none --method web-download --uri http://192.0.2.2/none.qcow2 >/dev/null 2>&1 || true
waits() { [ "$(state none)" = queued ]; }
check "what is no image is not taken, and its image waits on" within 30 waits
# The client does not tell of a refusal, so the API is asked.
token=$(openstack token issue -f value -c id)
asked="$(cumulet status --json | jq -r .url)/image/v2/images/$(openstack image show none -f value -c id)/import"
refuses() { [ "$(curl -s -o /dev/null -w '%{http_code}' -H "X-Auth-Token: $token" -H 'Content-Type: application/json' "$asked" \
  -d "{\"method\": {\"name\": \"web-download\", \"uri\": \"http://$1/x\"}}")" = 400 ]; }
for own in 127.0.0.1 169.254.169.254; do check "$own is nobody's web" refuses "$own"; done

openstack network create net -f value -c id >/dev/null
openstack subnet create sub --network net --subnet-range 10.0.0.0/24 -f value -c id >/dev/null
openstack router create r --external-gateway public -f value -c id >/dev/null
openstack router add subnet r sub
openstack security group rule create default --protocol tcp --dst-port 22 -f value -c id >/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$work/import-key"
openstack keypair create k --public-key "$work/import-key.pub" -f value -c name >/dev/null
check "a port with DHCP options of its own" openstack port create port --network net \
  --extra-dhcp-option name=ntp-server,value=10.0.0.77 --extra-dhcp-option name=bootfile-name,value=pxe.0 \
  --extra-dhcp-option name=224,value=any -f value -c id
check "a server boots from the imported image" openstack server create vm --flavor m1.tiny --image fetched --port port \
  --key-name k --wait -f value -c status
fip=$(openstack floating ip create public -f value -c floating_ip_address)
openstack server add floating ip vm "$fip"
guest() { ssh -i "$work/import-key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
  -o ConnectTimeout=3 -o BatchMode=yes "cumulet@$fip" "$@"; }
check "its guest answers" within 120 guest true
# The client's script is called with what the lease says in its environment.
leased() { guest 'printf "#!/bin/sh\nenv\n" >/tmp/tell && chmod +x /tmp/tell &&
  sudo udhcpc -i eth0 -n -q -f -O ntpsrv -O bootfile -O 224 -s /tmp/tell' >"$work/lease"; }
check "it asks for the port's options" leased
check "it is told the time server" grep -qx 'ntpsrv=10.0.0.77' "$work/lease"
check "and the boot file" grep -qE '^boot_?file=pxe.0$' "$work/lease"
check "and what has only a number" grep -qix 'opt224=616e79' "$work/lease"

openstack server delete vm --wait
kill "$web"
cumulet destroy --yes 2>/dev/null
# The namespace goes some time later; its link is what the next suite would see.
ip link delete web0
ip netns delete web
