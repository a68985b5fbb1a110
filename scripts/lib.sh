# Sourced by the suites: a machine within the machine, and clients from PyPI.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${CUMULET_CACHE:-$HOME/.cache/cumulet}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
# CUMULET_PROFILE=debug judges the debug build, for quick rounds.
profile=${CUMULET_PROFILE:-release}

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs the calling script again in network, mount and process namespaces of its own: the "host" of the cloud under
# test. Whatever a failing test leaves behind ends with it.
in_a_machine_of_its_own() {
  [ "${CUMULET_SUITE_MACHINE:-}" = inside ] && return 0
  [ "$(id -u)" -eq 0 ] || die "this suite makes namespaces: run it as root"
  export CUMULET_SUITE_MACHINE=inside
  exec unshare --net --mount --pid --fork --mount-proc --propagation private "$0" "$@"
}

# Inside: a clean /run/netns, a home, a loopback; no way out.
settle() {
  mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
  ip link set lo up
  work=$(mktemp -d /tmp/cumulet-suite.XXXXXX)
  chmod 711 "$work"
  export HOME=$work/home CUMULET_CACHE=$cache CUMULET_DATA_DIR=$work/data
  # Disks of tests are thrown away: no need to wait for the platter.
  export CUMULET_UNSAFE_DISK_CACHE=true
  # Suites begin with a bare cloud; `operator` has the demo project as well.
  export CUMULET_DEMO=false
  mkdir -p "$HOME"
}

# The pinned clients; made once for each list of pins.
clients() {
  local pins="$repo/crates/acceptance/requirements.txt" venv
  venv="$cache/clients-$(sha256sum "$pins" | cut -c1-12)"
  if [ ! -e "$venv/complete" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q -r "$pins"
    touch "$venv/complete"
  fi
  export PATH="$venv/bin:$PATH"
}

# Everything that a cloud could add to a machine or change on it, one line each, sorted: two of these must be equal
# before and after. Of modules only the one that changes how bridges work: others are loaded by the kernel on demand.
footprint() {
  {
    ip rule list | sed 's/^/rule /'
    sysctl -a 2>/dev/null | grep -E '^net\.(ipv4|ipv6|bridge|netfilter)\.' |
      grep -vE 'nf_conntrack_count|tcp_mem|udp_mem|route\.gc_|fib_.*flush|stable_secret' | sed 's/^/sysctl /'
    grep -o '^br_netfilter ' /proc/modules 2>/dev/null | sed 's/^/module /' || true
    for tables in iptables-save iptables-legacy-save ip6tables-save; do
      ! command -v "$tables" >/dev/null || "$tables" 2>/dev/null | grep -v '^#' | sed "s/^/$tables /" || true
    done
    # A directory's own time also changes when something came and went.
    find /etc -xdev -type d -printf 'etc %p %m %U:%G\n' -o -printf 'etc %p %m %U:%G %s %T@\n'
    find /run /var/lib -maxdepth 1 -printf 'directory %p %m %U:%G\n'
    find "$HOME/.config/openstack" "$HOME/.kube" 2>/dev/null | sed 's/^/home /' || true
    find /sys/fs/cgroup -name '*cumulet*' 2>/dev/null | sed 's/^/cgroup /' || true
    cut -d' ' -f5 /proc/self/mountinfo | sed 's/^/mount /'
    ss -Hltn | awk '{print "listens", $4}'
    ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
    ip -o addr | awk '{print "addr", $2, $4}'
    ip route show table all | sed 's/^/route /'
    ip netns list | sed 's/^/netns /'
    nft list ruleset | sed 's/^/nft /'
    ps -eo args | grep -E '[q]emu-system|[c]umulet up' | sed 's/^/process /' || true
    [ ! -e "$CUMULET_DATA_DIR" ] || find "$CUMULET_DATA_DIR" | sed 's/^/file /'
  } | sort
}

ok() { passed=$((${passed:-0} + 1)); say "ok $passed - $*"; }
not_ok() { say "not ok - $*"; failures=$((${failures:-0} + 1)); }

# check "what" command...: the command succeeds.
check() {
  local what=$1; shift
  if "$@"; then ok "$what"; else not_ok "$what"; return 1; fi
}

# journey NAME: crates/acceptance/kernel/NAME.py, whose checks count as this suite's own.
journey() {
  local line code=0
  JOURNEY_WORK=$work python3 "$repo/crates/acceptance/kernel/$1.py" >"$work/$1.out" || code=$?
  while IFS= read -r line; do
    case $line in
      "ok - "*) ok "${line#ok - }" ;;
      "not ok - "*) not_ok "${line#not ok - }" ;;
      *) say "$line" ;;
    esac
  done <"$work/$1.out"
  [ "$code" -eq 0 ] || [ "$code" -eq 3 ] || not_ok "$1 broke off with code $code"
}

# within SECONDS command...: it succeeds at last.
within() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# no command...: it fails.
no() { ! "$@" >/dev/null 2>&1; }

tally() { printf '%s passed, %s failed\n' "${passed:-0}" "${failures:-0}"; [ "${failures:-0}" -eq 0 ]; }
