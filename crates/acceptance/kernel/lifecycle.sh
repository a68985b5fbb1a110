# What a server goes through in its life: its disk, memory and address keep what they must.

cumulet up
cumulet image build tiny --upload >/dev/null
journey lifecycle
check "no qemu is left" within 10 no pgrep qemu-system
check "no file of a server is left" test -z "$(ls "$CUMULET_DATA_DIR/vms" 2>/dev/null)"
check "no unfinished copy is left" test -z "$(find "$CUMULET_DATA_DIR" -name '*.copying' -o -name '*.part')"
cumulet destroy --yes
