# Everything is as before after `down` and `up`, and after a machine's sudden end: all processes killed, all of the
# kernel's state gone.

cumulet up
cumulet image build tiny --upload >/dev/null
journey restart_before
orderly=$(pgrep qemu-system)
cumulet down
check "down stops the machine" no pgrep qemu-system
cumulet up
check "up runs it again" within 20 pgrep qemu-system
check "it is another process" test "$(pgrep qemu-system)" != "$orderly"
journey restart_after

daemon=$(cumulet status --json | jq -r .pid)
kill -9 "$daemon" $(pgrep qemu-system)
within 10 no kill -0 "$daemon"
for namespace in $(ip netns list | awk '{print $1}'); do ip netns delete "$namespace"; done
nft flush ruleset
check "after the machine's sudden end, up" cumulet up
journey restart_after
journey restart_last
cumulet destroy --yes
