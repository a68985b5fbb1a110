# What cannot be done is told in one sentence, and nothing half made is left.

# told "what" "pattern" command...: it fails, its last line matches, and the machine is as before.
told() {
  local what=$1 pattern=$2 before after said; shift 2
  before=$(footprint)
  if said=$("$@" 2>&1); then not_ok "$what: it succeeded"; return 0; fi
  after=$(footprint)
  if ! grep -Eq "$pattern" <<<"$(tail -n 1 <<<"$said")"; then
    not_ok "$what: it said: $said"
  elif [ "$before" != "$after" ]; then
    not_ok "$what: something is left"; diff <(say "$before") <(say "$after") || true
  else
    ok "$what"
  fi
}

# Anybody may read and run this copy; a build directory is often private.
install -m 755 "$(command -v cumulet)" "$work/cumulet"
told "no root" 'need root: run `sudo cumulet up`' \
  setpriv --reuid 65534 --regid 65534 --clear-groups env CUMULET_DATA_DIR=/tmp/nobodys-cloud "$work/cumulet" up
told "a missing program" 'qemu-system-x86_64 is missing: run `apt-get install qemu-system-x86`' \
  unshare --mount sh -c "mount --bind /dev/null \$(command -v qemu-system-x86_64) && exec cumulet up"
told "a bad address" 'invalid value|For more information' cumulet up --listen nowhere:80
told "an external network too small" 'at least 8 addresses' cumulet up --external-cidr 172.24.4.0/30
told "no cloud to ask" 'no cloud is running with .*: start it with `cumulet up`' cumulet env
told "a version that does not exist" 'v1\.99\.0' cumulet image build node --kubernetes v1.99.0
told "a version that is none" 'latest' cumulet image build node --kubernetes latest
told "destroy without yes" 'pass --yes' cumulet destroy

python3 -c 'import socket, time; s = socket.socket(); s.bind(("127.0.0.1", 5000)); s.listen(); time.sleep(600)' &
holder=$!
within 10 sh -c 'ss -ltn | grep -q 127.0.0.1:5000'
if said=$(cumulet up 2>&1); then not_ok "a taken port: it succeeded"; else
  check "a taken port" grep -q 'cannot listen on 127.0.0.1:5000: is another cloud running there' <<<"$said"
fi
kill "$holder"
check "leaves no link and no namespace" test -z "$(ip netns list)$(ip -o link | grep cml-)"
cumulet destroy --yes >/dev/null 2>&1

# A disk that is full: the store is refused, the image goes back to queued, and there is room again afterwards.
mkdir -p "$CUMULET_DATA_DIR" && mount -t tmpfs -o size=96m tmpfs "$CUMULET_DATA_DIR"
cumulet up >/dev/null 2>&1
export OS_CLOUD=cumulet
head -c 150000000 /dev/urandom > "$work/large.raw"
if said=$(openstack image create large --file "$work/large.raw" --disk-format raw 2>&1); then not_ok "a full disk: the upload succeeded"; else
  check "a full disk is told" grep -q 'no space left' <<<"$said"
fi
check "the cloud still answers" openstack image list -f value
check "and the space is free again" test "$(df --output=avail "$CUMULET_DATA_DIR" | tail -n 1)" -gt 60000

head -c 100000 /dev/urandom > "$work/not-an-image"
if said=$(openstack image create not-one --file "$work/not-an-image" --disk-format qcow2 2>&1); then not_ok "an image that is none: it was taken"; else
  check "an image that is none" grep -q 'disk_format qcow2 does not match' <<<"$said"
fi

openstack network create net -f value -c id >/dev/null
openstack subnet create one --network net --subnet-range 10.0.0.0/24 -f value -c id >/dev/null
if said=$(openstack subnet create two --network net --subnet-range 10.0.0.128/25 2>&1); then not_ok "overlapping subnets: made"; else
  check "overlapping subnets" grep -q 'overlaps with another subnet' <<<"$said"
fi
check "are told apart from the good one" test "$(openstack subnet list --network net -f value -c Name)" = one

token=$(openstack token issue -f value -c id)
api=$(cumulet status --json | jq -r .url)
answer() { curl -s -o "$work/answer" -w '%{http_code}' -H "X-Auth-Token: $token" -H 'Content-Type: application/json' "$@"; }
check "malformed JSON is 400 at compute" test "$(answer "$api/compute/v2.1/servers" -d '{"server": ')" = 400
check "in Nova's words" jq -e .badRequest.message "$work/answer"
check "at network" test "$(answer "$api/network/v2.0/networks" -d '{"network": ')" = 400
check "in Neutron's words" jq -e .NeutronError.message "$work/answer"
check "and at identity" test "$(answer "$api/identity/v3/projects" -d '[')" = 400
check "in Keystone's words" jq -e .error.message "$work/answer"
cumulet destroy --yes >/dev/null 2>&1 || true
umount "$CUMULET_DATA_DIR" 2>/dev/null || true
rm -rf "$CUMULET_DATA_DIR"
