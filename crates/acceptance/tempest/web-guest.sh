#!/bin/sh
# What Octavia's scenario tests expect of a guest and the tiny image has not: the receiving end of scp, and screen as far as
# it starts a program and leaves it alone. Run once, as user data; the stopped guest's disk is the tests' image.
cat > /usr/bin/scp <<'SCP'
#!/bin/sh
# `scp -t TARGET`: takes files as OpenSSH's `scp -O` sends them.
for target; do :; done
fine() { printf '\0'; }
fine
while read -r line; do
    case $line in
        C*)
            set -- $line
            file=$target
            [ -d "$target" ] && file=$target/$3
            fine
            : > "$file"
            # At once, and not a byte more.
            [ "$2" -eq 0 ] || dd bs="$2" count=1 iflag=fullblock of="$file" 2>/dev/null
            dd bs=1 count=1 of=/dev/null 2>/dev/null
            chmod "${1#C}" "$file"
            fine
            ;;
        T* | E) fine ;;
        *) exit 1 ;;
    esac
done
SCP
cat > /usr/bin/screen <<'SCREEN'
#!/bin/sh
# `screen -d -m PROGRAM ..`
while [ "${1#-}" != "$1" ]; do shift; done
setsid "$@" </dev/null >/dev/null 2>&1 &
SCREEN
chmod 755 /usr/bin/scp /usr/bin/screen
sync
poweroff
