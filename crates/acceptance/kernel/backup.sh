# A whole cloud in a file and back: a simulated one with a client's things in it, then one with a guest's disk.

things() { python3 "$repo/crates/acceptance/kernel/things.py"; }
refused() { local said; if said=$("${@:2}" 2>&1); then return 1; fi; grep -q -- "$1" <<<"$said"; }

export OS_CLOUD=cumulet CUMULET_DATA_DIR=$work/one
cumulet up --simulate >/dev/null
head -c 3000000 /dev/urandom > "$work/picture"
openstack image create picture --file "$work/picture" --disk-format raw --container-format bare -f value -c id >/dev/null
openstack network create net -f value -c id >/dev/null
openstack subnet create sub --network net --subnet-range 10.0.0.0/24 -f value -c id >/dev/null
openstack user create tenant --password secret -f value -c id >/dev/null
openstack role add --project admin --user tenant member
openstack server create vm --flavor m1.tiny --image picture --network net --wait -f value -c status >/dev/null
things > "$work/before"
check "a running cloud is backed up" cumulet backup "$work/cloud.tar.zst"
check "for its owner only" test "$(stat -c %a "$work/cloud.tar.zst")" = 600
check "a file that is there is not overwritten" refused "exists already" cumulet backup "$work/cloud.tar.zst"
check "a cloud that is there is not overwritten" refused "is not empty" cumulet restore "$work/cloud.tar.zst"
head -c 1000000 "$work/cloud.tar.zst" > "$work/half.tar.zst"
check "half an archive is refused" refused "cut off" cumulet restore "$work/half.tar.zst" --data-dir "$work/two"
check "and leaves nothing" test -z "$(ls -A "$work/two")"
cumulet destroy --yes 2>/dev/null
check "the cloud comes back elsewhere" cumulet restore "$work/cloud.tar.zst" --data-dir "$work/two"
export CUMULET_DATA_DIR=$work/two
cumulet up --simulate >/dev/null
things > "$work/after"
check "with everything in it" diff "$work/before" "$work/after"
openstack image save picture --file "$work/again"
check "and its images byte for byte" cmp "$work/picture" "$work/again"
check "its users log in" openstack --os-username tenant --os-password secret token issue -f value -c id
cumulet destroy --yes 2>/dev/null

export CUMULET_DATA_DIR=$work/data
mkdir "$work/archive"
cumulet up --image-stores "archive=$work/archive" >/dev/null
tiny=$(cumulet image build tiny)
python3 "$repo/crates/acceptance/kernel/empty_image.py" tiny >/dev/null
openstack image stage tiny --file "$tiny"
openstack image import tiny --method glance-direct --store archive --wait -f value -c status >/dev/null
image=$(openstack image show tiny -f value -c id)
check "an image is in a store outside of the data directory" cmp "$tiny" "$work/archive/$image"
check "and nowhere else" test ! -e "$CUMULET_DATA_DIR/images/$image"
openstack network create net -f value -c id >/dev/null
openstack subnet create sub --network net --subnet-range 10.0.0.0/24 -f value -c id >/dev/null
openstack router create r --external-gateway public -f value -c id >/dev/null
openstack router add subnet r sub
openstack security group rule create default --protocol tcp --dst-port 22 -f value -c id >/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$work/backup-key"
openstack keypair create k --public-key "$work/backup-key.pub" -f value -c name >/dev/null
openstack server create vm --flavor m1.tiny --image tiny --network net --key-name k --wait -f value -c status >/dev/null
fip=$(openstack floating ip create public -f value -c floating_ip_address)
openstack server add floating ip vm "$fip"
guest() { ssh -i "$work/backup-key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
  -o ConnectTimeout=3 -o BatchMode=yes "cumulet@$fip" "$@"; }
check "a guest answers" within 120 guest true
guest 'echo precious | sudo tee /etc/kept >/dev/null; sync'
# A volume on which it writes all the time, in layers of two formats.
openstack volume create --size 1 data -f value -c id >/dev/null
openstack server add volume vm data -f value -c "Volume ID"
check "the guest has a volume" within 30 guest 'test -b /dev/vdb && sudo mkfs.ext4 -q /dev/vdb && sudo mount /dev/vdb /mnt'
openstack --os-volume-api-version 3.66 volume snapshot create --volume data then -f value -c id >/dev/null
writes='i=0; while :; do i=$((i + 1)); n=$((i % 50)); head -c 300000 /dev/urandom > /tmp/new; sudo cp /tmp/new /mnt/new; '
writes+='md5sum < /tmp/new | sudo tee /mnt/sum >/dev/null; sudo mv /mnt/new /mnt/f$n; sudo mv /mnt/sum /mnt/f$n.sum; sync; done'
guest "($writes) >/dev/null 2>&1 & sleep 3"
boot=$(guest cat /proc/sys/kernel/random/boot_id)
check "a cloud with a running guest is backed up" cumulet backup "$work/guests.tar.zst"
check "the guest never noticed" test "$(guest cat /proc/sys/kernel/random/boot_id)" = "$boot"
# Big enough that the machine is held for a while.
guest 'sudo head -c 300000000 /dev/urandom > /tmp/big; sudo mv /tmp/big /var/big; sync'
held() { compgen -G "$CUMULET_DATA_DIR/vms/*/held" >/dev/null; }
token=$(openstack token issue -f value -c id)
compute=$(jq -r .url "$CUMULET_DATA_DIR/state.json")/compute/v2.1
vm=$(openstack server show vm -f value -c id)
cumulet backup "$work/paused.tar.zst" >/dev/null 2>&1 & backup=$!
until held || ! kill -0 "$backup" 2>/dev/null; do :; done
curl -s -o /dev/null -H "X-Auth-Token: $token" -H 'Content-Type: application/json' -d '{"pause": null}' \
  "$compute/servers/$vm/action"
check "it is paused by its user while it is held" held
check "the backup is whole" wait "$backup"
check "and it stays paused" no guest true
check "as its user is told" test "$(openstack server show vm -f value -c status)" = PAUSED
openstack server unpause vm
check "until its user lets it go on" within 30 guest true
stages() { compgen -G "$CUMULET_DATA_DIR/backup.part" || compgen -G "$work/archive/backup.part"; }
cumulet backup "$work/killed.tar.zst" >/dev/null 2>&1 & backup=$!
until held || ! kill -0 "$backup" 2>/dev/null; do :; done
sleep 0.05
kill -9 "$(cat "$CUMULET_DATA_DIR/cumulet.pid")"
check "its daemon dies while it is held" held
check "the backup says so" no wait "$backup"
check "and a second one what to do first" refused "start the cloud with" cumulet backup "$work/killed.tar.zst"
check "the guest waits" no guest true
cumulet up --image-stores "archive=$work/archive" >/dev/null
check "and goes on with the next daemon" within 30 guest true
check "as if nothing had been" test "$(guest cat /proc/sys/kernel/random/boot_id)" = "$boot"
check "with nothing left of it" no eval "held || stages || ls '$work'/killed*"
cumulet backup "$work/stopped.tar.zst" >"$work/said" 2>&1 & backup=$!
until [ -s "$work/stopped.tar.zst.part" ] || ! kill -0 "$backup" 2>/dev/null; do :; done
check "one backup is written at a time" refused "another backup" cumulet backup "$work/second.tar.zst"
kill -INT "$backup"
check "it is stopped" no wait "$backup"
check "and says that" grep -q "^error: stopped: nothing was written$" "$work/said"
check "with nothing left of that" no eval "stages || ls '$work'/stopped* '$work'/second*"
cumulet destroy --yes 2>/dev/null
check "its end leaves nothing in the store elsewhere" test -z "$(ls -A "$work/archive")"
check "it comes back" cumulet restore "$work/guests.tar.zst"
cumulet up >/dev/null
has_its_disk() { [ "$(guest cat /etc/kept)" = precious ]; }
check "its guest runs again and has its disk" within 120 has_its_disk
whole() { for layer in "$CUMULET_DATA_DIR"/volumes/*.qcow2; do qemu-img check -q -U "$layer" || return 1; done; }
check "no layer of its volume is torn" whole
check "there is what it wrote" test "$(guest 'sudo mount /dev/vdb /mnt && cd /mnt && ls f*.sum | wc -l')" -gt 0
# A file is renamed before its sum: one of them may be of another turn.
differ='cd /mnt; n=0; for f in f*.sum; do [ "$(md5sum < ${f%.sum})" = "$(cat $f)" ] || n=$((n + 1)); done; echo $n'
check "file by file" test "$(guest "$differ")" -le 1
check "a snapshot of it is there" test "$(openstack volume snapshot show then -f value -c status)" = available
check "the store that was elsewhere is in the data directory" cmp "$tiny" "$CUMULET_DATA_DIR/stores/archive/$image"
openstack image save --file "$work/tiny" tiny
check "and its image is served byte for byte" cmp "$tiny" "$work/tiny"
cumulet down >/dev/null
cp -a "$CUMULET_DATA_DIR/stores/archive/." "$work/archive"
check "with its directory moved back it starts as it was" cumulet up --image-stores "archive=$work/archive"
rm "$CUMULET_DATA_DIR/stores/archive/$image"
openstack image save --file "$work/tiny" tiny
check "and serves the image from there" cmp "$tiny" "$work/tiny"
check "also to a new server" openstack server create second --flavor m1.tiny --image tiny --network net --wait -f value -c status
cumulet destroy --yes 2>/dev/null
