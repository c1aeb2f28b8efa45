# Sourced by every script of this folder: names, addresses and small helpers.
# shellcheck shell=bash
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# --- settings a caller may change -------------------------------------------
: "${SEINE_CLUSTER_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/seine/cluster}" # built programs and images, kept between runs
: "${SEINE_CLUSTER_STATE:=/tmp/seine-cluster}"     # everything of a running cluster; removed by ./down
: "${SEINE_CLUSTER_PROXY_MODE:=iptables}"        # iptables or nftables
: "${SEINE_CLUSTER_NODES:=2}"                    # how many nodes (1 to 9)
: "${SEINE_CLUSTER_DNS:=1}"                      # 1: run CoreDNS, 0: no cluster DNS
: "${SEINE_CLUSTER_API_PORT:=26443}"             # the API server on this machine's 127.0.0.1; 0: not reachable from outside
: "${SEINE_CLUSTER_NICE:=10}"                    # niceness of the builds
CACHE=$SEINE_CLUSTER_CACHE STATE=$SEINE_CLUSTER_STATE
PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin

# --- fixed names and addresses -----------------------------------------------
# Nothing of this is ever configured in the machine's own network namespace:
# every address below lives in namespaces that ./up makes.
PFX=sc                                   # network namespaces sc-lan, sc-cp, sc-node1, ...
KUBE_VERSION=v1.34.4                     # as in go.mod
LAN4=10.89.0 LAN6=fd00:89:               # the nodes' common link (a bridge in sc-lan)
CP4=$LAN4.2 CP6=$LAN6:2
POD4=10.244 POD6=fd00:10:244             # node N has $POD4.N.0/24 and $POD6:N::/64
CLUSTER_CIDR=$POD4.0.0/16,$POD6::/48
SERVICE_CIDR=10.96.0.0/16,fd00:10:96::/112
API_SVC4=10.96.0.1 DNS4=10.96.0.10
CGROUP=/seine-cluster                     # cgroup (v1) that holds /seine-cluster/nodeN
node4() { echo "$LAN4.1$1"; }
node6() { echo "$LAN6:1$1"; }

BIN=$STATE/bin                           # links to the programs in the cache
say() { printf '[%(%H:%M:%S)T +%4ss] %s\n' -1 "$SECONDS" "$*" >&2; }
die() { say "error: $*"; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || die "must run as root"; }

# A "host" (cp, node1, ...) is a network namespace with a mount, PID and UTS
# namespace of its own. $STATE/HOST/pid has the PID of its first process.
host_pid() {
  local p; p=$(cat "$STATE/$1/pid" 2>/dev/null) || return 1
  # The number may have gone to another process: it counts only in our namespace.
  [ "$(stat -L -c %i "/proc/$p/ns/net" 2>/dev/null)" = "$(stat -c %i "/run/netns/$PFX-$1" 2>/dev/null || echo none)" ] && echo "$p"
}
in_host() { # HOST CMD...
  local p; p=$(host_pid "$1") || die "host $1 is not up"
  shift
  nsenter -t "$p" -m -u -n -p --wd=. -- "$@" # the caller's folder stays the working directory
}
# Starts a program in a host, with its output in $STATE/HOST/NAME.log.
daemon() { # HOST NAME CMD...
  local h=$1 n=$2 p; shift 2
  p=$(host_pid "$h") || die "host $h is not up"
  setsid nsenter -t "$p" -m -u -n -p -- "$@" </dev/null >"$STATE/$h/$n.log" 2>&1 &
  echo $! >"$STATE/$h/$n.pid"
  disown
}
alive() { # HOST NAME: the program that daemon started is still there
  local p; p=$(cat "$STATE/$1/$2.pid" 2>/dev/null) && grep -qsa -- "$2" "/proc/$p/cmdline"
}
kc() { in_host cp "$BIN/kubectl" --kubeconfig "$STATE/pki/admin.kubeconfig" "$@"; }
wait_for() { # SECONDS WHAT CMD...
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { say "gave up waiting for $what"; return 1; }
    sleep 0.3
  done
  say "$what"
}
