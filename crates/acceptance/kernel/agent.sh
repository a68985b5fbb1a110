# A guest with QEMU's own agent: passwords, and file systems that hold still while their disks are taken.

export OS_CLOUD=cumulet CUMULET_DATA_DIR=$work/agent
cumulet up >/dev/null
cumulet image build tiny --upload >/dev/null
openstack network create net -f value -c id >/dev/null
openstack subnet create sub --network net --subnet-range 10.0.0.0/24 -f value -c id >/dev/null
openstack router create r --external-gateway public -f value -c id >/dev/null
openstack router add subnet r sub
openstack security group rule create default --protocol tcp --dst-port 22 -f value -c id >/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$work/agent-key"
openstack keypair create k --public-key "$work/agent-key.pub" -f value -c name >/dev/null
openstack server create vm --flavor m1.tiny --image tiny --network net --key-name k --wait -f value -c status >/dev/null
fip=$(openstack floating ip create public -f value -c floating_ip_address)
openstack server add floating ip vm "$fip"
guest() { ssh -i "$work/agent-key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
  -o ConnectTimeout=3 -o BatchMode=yes "cumulet@$fip" "$@"; }
check "its agent runs" within 120 guest pidof qemu-ga

check "a password is set by it" within 20 openstack server set --password ohne-Vokal7 vm
has_password() {
  guest "hash=\$(sudo grep ^cumulet: /etc/shadow | cut -d: -f2); salt=\$(echo \"\$hash\" | cut -d\\$ -f3)
    [ \"\$(mkpasswd -m sha512 -S \"\$salt\" '$1')\" = \"\$hash\" ]"
}
check "and is the administrator's in the guest" has_password ohne-Vokal7
check "and no other is" no has_password cumulet

openstack volume create --size 1 data -f value -c id >/dev/null
openstack server add volume vm data -f value -c "Volume ID" >/dev/null
mount_it() { guest "test -b /dev/$1 && sudo mkdir -p /mnt/$1 && $2 sudo mount /dev/$1 /mnt/$1"; }
check "a volume has a file system" within 30 mount_it vdb 'sudo mkfs.ext4 -q /dev/vdb &&'
snapshot() { openstack --os-volume-api-version 3.66 volume snapshot create --volume data "$1" -f value -c id; }
is_taken() { [ "$(openstack volume snapshot show "$1" -f value -c status)" = available ]; }
# Nobody flushes it: without the agent's help it is in memory only for half a minute.
guest 'head -c 3000000 /dev/urandom | sudo tee /mnt/vdb/fresh | md5sum' >"$work/sum"
snapshot quiet >/dev/null
check "a snapshot of it in use is there" within 30 is_taken quiet
check "and its machine has thawed" guest 'sudo timeout 10 touch /mnt/vdb/after'
openstack volume create --snapshot quiet copy -f value -c id >/dev/null
openstack server add volume vm copy -f value -c "Volume ID" >/dev/null
check "it is mounted" within 30 mount_it vdc ''
check "and needed no repair" no guest 'dmesg | grep "vdc.*recovery complete"'
check "it has what had just been written" test "$(guest 'md5sum </mnt/vdc/fresh')" = "$(cat "$work/sum")"
check "and nothing that came later" guest 'test ! -e /mnt/vdc/after'

# Enough to flush that the daemon dies meanwhile.
guest 'head -c 200000000 /dev/urandom | sudo tee /var/big >/dev/null'
frozen() { compgen -G "$CUMULET_DATA_DIR/vms/*/frozen" >/dev/null; }
snapshot cut >/dev/null & asker=$!
until frozen || ! kill -0 "$asker" 2>/dev/null; do :; done
kill -9 "$(cat "$CUMULET_DATA_DIR/cumulet.pid")"
check "its daemon dies while it freezes" frozen
wait "$asker" || true
writes() { guest "sudo sh -c 'rm -f /run/written; (touch /mnt/vdb/$1 && touch /run/written) & sleep 5; test -e /run/written'"; }
check "and it stays frozen" no writes then
cumulet up >/dev/null
check "until the next daemon thaws it" within 60 writes now
check "with no mark left" within 10 no frozen
check "and the snapshot is there" within 30 is_taken cut
cumulet destroy --yes 2>/dev/null
