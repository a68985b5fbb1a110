# A disk that is full, one that is read-only, a database that is damaged: healed or told.

export OS_CLOUD=cumulet CUMULET_DATA_DIR=$work/small
mkdir "$CUMULET_DATA_DIR"
mount -t tmpfs -o size=12m tmpfs "$CUMULET_DATA_DIR"
cumulet up --simulate >/dev/null
eval "$(cumulet env)"
unset OS_CLOUD
token=$(openstack token issue -f value -c id)
url=${OS_AUTH_URL%/identity/v3}
status() { curl -s -o "$work/said" -w '%{http_code}' -H "X-Auth-Token: $token" -H 'Content-Type: application/json' "$@"; }
make() { status "$url/network/v2.0/networks" -d "{\"network\": {\"name\": \"$1\"}}"; }
networks() { curl -s -H "X-Auth-Token: $token" "$url/network/v2.0/networks?fields=name"; }

check "there is room" test "$(make before)" = 201
dd if=/dev/zero of="$CUMULET_DATA_DIR/filler" bs=4k 2>/dev/null || true
# What SQLite has in its log already still takes some rows.
full() { [ "$(make during)" = 503 ]; }
check "a full disk is told as 503" within 60 full
check "in words" grep -q "no space left" "$work/said"
check "reading goes on" test "$(status "$url/network/v2.0/networks")" = 200
check "and the daemon lives" sh -c "cumulet status >/dev/null"
rm "$CUMULET_DATA_DIR/filler"
check "with space again all is well" test "$(make after)" = 201
check "nothing half made is left" test "$(networks | grep -c '"after"')" -eq 1

# A daemon that is killed holds its lock until the last of its threads is gone, which may be later than the next word.
again() {
  local before after
  for _ in $(seq 10); do
    before=$(jq .pid "$CUMULET_DATA_DIR/state.json")
    kill -9 "$before"
    cumulet up --simulate >/dev/null 2>"$work/up" || { cat "$work/up"; return 1; }
    after=$(jq .pid "$CUMULET_DATA_DIR/state.json")
    [ "$before" != "$after" ] || { echo "the killed one was taken for alive"; return 1; }
  done
}
check "up right after a kill -9 starts it, ten times" again

# Who has stopped a cloud may unmount the disk below it.
lets_go() {
  for _ in $(seq 20); do
    cumulet down >/dev/null 2>"$work/down" || { cat "$work/down"; return 1; }
    mount -o remount,ro "$CUMULET_DATA_DIR" || return 1
    mount -o remount,rw "$CUMULET_DATA_DIR"
    cumulet up --simulate >/dev/null 2>"$work/up" || { cat "$work/up"; return 1; }
  done
}
check "after down none of its files is open, twenty times" lets_go

cumulet down >/dev/null 2>&1
mount -o remount,ro "$CUMULET_DATA_DIR"
said=$(cumulet up --simulate 2>&1) && not_ok "a read-only data directory: it started" || true
check "a read-only data directory is told in one line" grep -qiE "cannot (write|use|make|open).*|Read-only" <<<"$(tail -n 1 <<<"$said")"
mount -o remount,rw "$CUMULET_DATA_DIR"

cumulet up --simulate >/dev/null 2>&1
check "it starts when it can be written" test "$(make writable)" = 201
cumulet down >/dev/null 2>&1
cp "$CUMULET_DATA_DIR/cumulet.db" "$work/good.db"
mkdir -p "$CUMULET_DATA_DIR/backups" && cp "$work/good.db" "$CUMULET_DATA_DIR/backups/20260101T000000Z-by-hand.db"
dd if=/dev/urandom of="$CUMULET_DATA_DIR/cumulet.db" bs=4k seek=3 count=20 conv=notrunc 2>/dev/null
said=$(cumulet up --simulate 2>&1) && not_ok "a damaged database: it started" || true
check "a damaged database is refused, naming its backup" grep -q "is damaged.*restore .*by-hand.db" <<<"$(tail -n 1 <<<"$said")"
check "the backup comes back" cumulet restore "$CUMULET_DATA_DIR/backups/20260101T000000Z-by-hand.db"
cumulet up --simulate >/dev/null 2>&1
check "and the cloud with it" test "$(networks | grep -c '"writable"')" -eq 1
cumulet destroy --yes >/dev/null 2>&1
umount "$CUMULET_DATA_DIR"
export CUMULET_DATA_DIR=$work/data OS_CLOUD=cumulet
for name in $(env | grep -o '^OS_[A-Z_]*'); do [ "$name" = OS_CLOUD ] || unset "$name"; done
