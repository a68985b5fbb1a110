# Volumes of real machines, by the command line: plugged in and out, written, snapshotted and grown under a running guest,
# booted from; and a daemon that ends and comes back meanwhile. Encrypted ones, too.

cumulet up
cumulet image build tiny --upload >/dev/null
journey volumes
machine=$(pgrep qemu-system)
daemon=$(cumulet status --json | jq -r .pid)
kill -9 "$daemon"
within 10 no kill -0 "$daemon"
cumulet up
check "the machine outlives the daemon" test "$(pgrep qemu-system)" = "$machine"
journey volumes_after
journey encrypted
check "no qemu is left" within 10 no pgrep qemu-system
cumulet destroy --yes
