#!/usr/bin/env bash
# The demo platform: a small payment system in network namespaces of its own. Nothing of it runs in, or changes, the machine's own
# network except one veth device "arashi-demo" by which the load reaches the gateway.
#
#   demo.sh start    start it (as root); says so and does nothing when it runs already
#   demo.sh status   what runs where, and whether it answers; exit 0 only if all of it does
#   demo.sh sum      the money in all accounts; exit 0 only if it is what was seeded
#   demo.sh stop     end it; nothing stays behind
#
#        host 10.87.0.1 ──┐ arashi-demo-fabric (a bridge)
#   load ──────▶ gateway 10.87.0.10 (nginx) ──▶ wallet-1, -2, -3 10.87.0.21-23 ──▶ ledger 10.87.0.30 (Redis)
#                        └─ asks for wallet.demo ─▶ resolver 10.87.0.50 (dnsmasq), for what comes to /by-name/transfer
#                                               monitor 10.87.0.40 (Prometheus, where installed) scrapes the wallets
#
# Every pod is a network namespace arashi-demo-NAME and a cgroup arashi-demo/NAME; what dies in it is started again a second later,
# as a kubelet would. wallet-3 speaks IPv6 on both sides, so that a fault that forgets a family is seen.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
readonly here top
readonly name=arashi-demo run=/run/arashi-demo
readonly v4=10.87.0 v6=fd61:7261:7368
readonly accounts=100 each=1000000  # wallet.cpp draws from as many accounts
readonly -A number=([gateway]=10 [wallet-1]=21 [wallet-2]=22 [wallet-3]=23 [ledger]=30 [monitor]=40 [resolver]=50)

fail() {
  echo "demo.sh: $*" >&2
  exit 1
}

pods() {
  echo resolver ledger wallet-1 wallet-2 wallet-3 gateway
  if command -v prometheus >/dev/null; then echo monitor; fi
}

inside() {  # POD COMMAND…: in the pod's network, with this machine's files
  local pod=$1
  shift
  nsenter --net="/run/netns/$name-$pod" "$@"
}

# ---- cgroups: version 2 and, where there is one, version 1's freezer

cgroup_roots() {
  local root
  for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/freezer; do
    if [[ -e $root/cgroup.procs ]]; then echo "$root"; fi
  done
}

join_cgroups() {  # POD PID
  local root
  for root in $(cgroup_roots); do
    mkdir -p "$root/$name/$1"
    echo "$2" >"$root/$name/$1/cgroup.procs"
  done
}

thaw() {  # CGROUP: a frozen process cannot die
  if [[ -e $1/freezer.state ]]; then echo THAWED >"$1/freezer.state"; fi
  if [[ -e $1/cgroup.freeze ]]; then echo 0 >"$1/cgroup.freeze"; fi
}

kill_cgroup() {  # POD: every process in it, until none is left
  local root dir pid tries
  for root in $(cgroup_roots); do
    dir=$root/$name/$1
    [[ -d $dir ]] || continue
    thaw "$dir"
    for ((tries = 0; tries < 100; tries++)); do
      [[ -n $(<"$dir/cgroup.procs") ]] || break
      while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done <"$dir/cgroup.procs"
      sleep 0.02
    done
  done
}

remove_cgroups() {
  local root dir
  for root in $(cgroup_roots); do
    for dir in "$root/$name"/*/ "$root/$name"; do
      [[ -d $dir ]] || continue
      rmdir "$dir" 2>/dev/null || { sleep 0.2; rmdir "$dir"; }
    done
  done
}

# ---- the network

build_network() {
  local pod n
  ip netns add "$name-fabric"
  inside fabric ip link set lo up
  inside fabric ip link add fabric type bridge stp_state 0 forward_delay 0 mcast_snooping 0
  inside fabric ip link set fabric addrgenmode none  # no addresses but those given: others would come up only a second later
  inside fabric ip link set fabric up
  ip link add "$name" type veth peer name host netns "$name-fabric"
  inside fabric ip link set host addrgenmode none
  inside fabric ip link set host master fabric up
  ip address add "$v4.1/24" dev "$name"
  ip address add "$v6::1/64" dev "$name" nodad
  ip link set "$name" addrgenmode none
  ip link set "$name" up
  for pod in $(pods); do
    n=${number[$pod]}
    ip netns add "$name-$pod"
    inside "$pod" ip link set lo up
    inside "$pod" ip link add eth0 type veth peer name "$pod" netns "$name-fabric"
    inside "$pod" ip address add "$v4.$n/24" dev eth0
    inside "$pod" ip address add "$v6::$n/64" dev eth0 nodad
    inside "$pod" ip link set eth0 addrgenmode none
    inside "$pod" ip link set eth0 up
    inside fabric ip link set "$pod" addrgenmode none
    inside fabric ip link set "$pod" master fabric up
  done
}

# The device goes with its peer; a namespace goes with its last process, so pods end first.
remove_network() {
  local pod
  ip link delete "$name" 2>/dev/null || true
  for pod in fabric "${!number[@]}"; do
    if [[ -e /run/netns/$name-$pod ]]; then ip netns delete "$name-$pod"; fi
  done
}

# ---- what the pods run

write_gateway_conf() {
  mkdir -p "$run/gateway"
  cat >"$run/gateway/nginx.conf" <<EOF
daemon off;
user www-data;
worker_processes 1;
pid $run/gateway/nginx.pid;
error_log $run/gateway/error.log warn;
events { worker_connections 2048; }
http {
  log_format timed '\$remote_addr [\$time_local] "\$request" \$status \$request_time';
  access_log $run/gateway/access.log timed;
  client_body_temp_path $run/gateway/body;
  proxy_temp_path $run/gateway/proxy;
  fastcgi_temp_path $run/gateway/fastcgi;
  uwsgi_temp_path $run/gateway/uwsgi;
  scgi_temp_path $run/gateway/scgi;
  upstream wallets {
    server $v4.21:8080 max_fails=5 fail_timeout=2s;
    server $v4.22:8080 max_fails=5 fail_timeout=2s;
    server [$v6::23]:8080 max_fails=5 fail_timeout=2s;
    keepalive 64;
  }
  # Each transfer has a key, and so it may be tried again at another wallet without moving the money twice.
  map \$http_idempotency_key \$transfer_key { "" \$request_id; default \$http_idempotency_key; }
  resolver $v4.50 valid=1s;
  resolver_timeout 2s;
  server {
    listen 80;
    listen [::]:80;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Idempotency-Key \$transfer_key;
    proxy_connect_timeout 250ms;
    proxy_read_timeout 900ms;
    proxy_send_timeout 900ms;
    proxy_next_upstream error timeout http_502 http_503 non_idempotent;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 2s;
    location / {
      proxy_pass http://wallets;
    }
    # The same, but the wallets are asked for by name, anew every second; a name that does not resolve means the wallets above.
    location /by-name/ {
      set \$wallet wallet.demo;
      rewrite ^/by-name(/.*)\$ \$1 break;
      proxy_pass http://\$wallet:8080;
      error_page 502 = @known;
      add_header Wallet-Found-By name;
    }
    location @known {
      proxy_pass http://wallets;
      add_header Wallet-Found-By list;
    }
  }
}
EOF
}

write_resolver_conf() {
  mkdir -p "$run/resolver"
  cat >"$run/resolver/dnsmasq.conf" <<EOF
keep-in-foreground
listen-address=$v4.50,$v6::50
bind-interfaces
no-resolv
no-hosts
addn-hosts=$run/resolver/hosts
user=nobody
pid-file=
log-facility=-
EOF
  printf '%s wallet.demo\n' "$v4.21" "$v4.22" "$v6::23" >"$run/resolver/hosts"
}

write_ledger_conf() {
  mkdir -p "$run/ledger"
  chown redis: "$run/ledger"
  cat >"$run/ledger/redis.conf" <<EOF
bind 0.0.0.0 ::
protected-mode no
port 6379
dir $run/ledger
appendonly yes
save ""
logfile $run/ledger/redis.log
EOF
}

write_monitor_conf() {
  mkdir -p "$run/monitor"
  chown nobody: "$run/monitor"
  cat >"$run/monitor/prometheus.yml" <<EOF
global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
  - job_name: wallet
    static_configs: [{targets: ["$v4.21:8080", "$v4.22:8080", "[$v6::23]:8080"]}]
EOF
}

command_of() {  # POD → the array `argv`
  local ledger=$v4.30
  [[ $1 != wallet-3 ]] || ledger=$v6::30
  case $1 in
    resolver) argv=(dnsmasq --conf-file="$run/resolver/dnsmasq.conf") ;;
    gateway) argv=(nginx -c "$run/gateway/nginx.conf" -e "$run/gateway/error.log") ;;
    wallet-*) argv=(setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$wallet" 8080 "$ledger" 6379) ;;
    ledger) argv=(setpriv --reuid=redis --regid=redis --clear-groups redis-server "$run/ledger/redis.conf") ;;
    monitor)
      argv=(setpriv --reuid=nobody --regid=nogroup --clear-groups prometheus --config.file="$run/monitor/prometheus.yml"
        --storage.tsdb.path="$run/monitor/data" --storage.tsdb.retention.time=1h --web.listen-address=:9090 --log.level=warn) ;;
  esac
}

# Keeps one pod running, until it is killed: what a kubelet does. It lives outside the pod's cgroup, so that a fault on the pod
# hits the pod. When the main process ends, whatever else the pod had ends too.
keep() {  # POD
  local pod=$1 argv=()
  command_of "$pod"
  join_cgroups keepers "$BASHPID"
  while [[ ! -e $run/stopping ]]; do
    kill_cgroup "$pod"
    (
      join_cgroups "$pod" "$BASHPID"
      exec nsenter --net="/run/netns/$name-$pod" "${argv[@]}"
    ) || true
    [[ -e $run/stopping ]] || sleep 1
  done
}

find_wallet() {
  local candidate newest=${ARASHI_WALLET:-}
  if [[ -z $newest ]]; then
    for candidate in "$top"/build/*/bin/wallet; do
      if [[ -x $candidate && (-z $newest || $candidate -nt $newest) ]]; then newest=$candidate; fi
    done
  fi
  [[ -x $newest ]] || fail "the wallet is not built yet; build it by: cmake --preset release && cmake --build --preset release --target wallet"
  echo "$newest"
}

# ---- is it there, does it answer

url_of() {
  case $1 in
    gateway) echo "http://$v4.10/healthz" ;;
    wallet-*) echo "http://$v4.${number[$1]}:8080/healthz" ;;
  esac
}

ask() { curl --silent --fail --noproxy '*' --max-time 2 "$@"; }

knows() {  # QUERY: Prometheus has an answer to it
  ask --get "http://$v4.40:9090/api/v1/query" --data-urlencode "query=$1" | grep --quiet '"value"'
}

resolves() {  # SERVER: it has addresses for wallet.demo; RFC 1035 over TCP, as no program for that need be here
  local answer
  answer=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/53"
    printf "\0\35\0\1\1\0\0\1\0\0\0\0\0\0\6wallet\4demo\0\0\1\0\1" >&3
    od -An -tx1 -N10 <&3' _ "$1" 2>/dev/null) || return 1
  [[ $answer =~ ^( [0-9a-f]{2}){5}\ [0-9a-f]0\ 00\ 01\ 00\ 0[1-9]$ ]]  # no error, one question, some answers
}

answers() {  # POD
  case $1 in
    resolver) resolves "$v4.50" ;;
    ledger) [[ $(inside ledger timeout 2 redis-cli ping 2>/dev/null) == PONG ]] ;;
    monitor) knows 'count(count_over_time(wallet_transfer_seconds_count[1h]) >= 2) == 3' ;;  # it has scraped each wallet twice
    *) ask --output /dev/null "$(url_of "$1")" ;;
  esac
}

wait_for() {  # POD
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    if answers "$1"; then return 0; fi
    sleep 0.1
  done
  tail -n 5 "$run/$1.log" >&2 || true
  fail "$1 does not answer after 15 s"
}

sum() {
  local balances total wanted=$((accounts * each))
  balances=$(inside ledger timeout 5 redis-cli hvals accounts) || fail "the ledger does not answer"
  total=$(awk '{ sum += $1 } END { printf "%d", sum }' <<<"$balances")
  if [[ $total == "$wanted" ]]; then
    echo "$total in $accounts accounts: the money is right"
  else
    fail "$total in all accounts, $wanted were seeded: the money is wrong"
  fi
}

seed() {
  local i
  for ((i = 0; i < accounts; i++)); do echo "HSETNX accounts $i $each"; done | inside ledger redis-cli >"$run/seed.log"
  sum >/dev/null
}

# A service without any traffic has no error budget: a few transfers, so that Prometheus knows of some.
make_history() {
  local i tries urls=()
  for ((i = 0; i < 60; i++)); do urls+=("http://$v4.10/transfer"); done
  for ((tries = 0; tries < 10; tries++)); do
    ask --request POST "${urls[@]}" >/dev/null
    sleep 1.2
    if knows 'min(increase(wallet_transfer_seconds_count[1h])) > 0'; then return 0; fi
  done
  fail "Prometheus does not see the wallets' transfers"
}

status() {
  local pod all=0 state
  [[ -d $run ]] || { echo "the demo is not running"; return 1; }
  for pod in $(pods); do
    if answers "$pod"; then state=answers; else state="does not answer" all=1; fi
    printf '%-9s %-11s %s::%s  netns %s-%s  %s\n' "$pod" "$v4.${number[$pod]}" "$v6" "${number[$pod]}" "$name" "$pod" "$state"
  done
  return "$all"
}

# ---- start, stop

stop() {
  local pod
  if [[ -d $run ]]; then touch "$run/stopping"; fi
  for pod in "${!number[@]}" keepers; do kill_cgroup "$pod"; done
  remove_network
  remove_cgroups
  rm -rf "$run"
}

check_before_start() {
  local tool route
  [[ $EUID == 0 ]] || fail "needs root: it makes network namespaces and cgroups"
  for tool in ip nsenter setpriv curl nginx dnsmasq redis-server redis-cli; do
    command -v "$tool" >/dev/null || fail "$tool is missing; examples/setup.sh run installs it"
  done
  [[ -n $(cgroup_roots) ]] || fail "no cgroup file system at /sys/fs/cgroup"
  route=$(ip route show to match "$v4.0/24" | grep -v '^default' || true)
  [[ -z $route || $route == *"dev $name "* ]] || fail "this machine uses $v4.0/24 itself: $route"
}

start() {
  local pod wallet
  check_before_start
  wallet=$(find_wallet)
  if status >/dev/null; then
    echo "the demo runs already: http://$v4.10/transfer"
    return
  fi
  stop  # what an interrupted start may have left
  trap 'stop' EXIT
  mkdir "$run"
  write_gateway_conf
  write_resolver_conf
  write_ledger_conf
  write_monitor_conf
  build_network
  for pod in $(pods); do
    ARASHI_WALLET=$wallet setsid "$0" keep "$pod" </dev/null >"$run/$pod.log" 2>&1 9>&- &
    disown
    if [[ $pod == ledger ]]; then wait_for ledger && seed; fi
  done
  for pod in $(pods); do wait_for "$pod"; done
  if [[ " $(pods | xargs) " == *" monitor "* ]]; then make_history; fi
  trap - EXIT
  echo "the demo runs: POST http://$v4.10/transfer moves money"
}

export PATH=$PATH:/usr/sbin:/sbin
case ${1:-} in
  start | stop)
    exec 9<"$here/demo.sh"  # one at a time; the lock is this file itself, so that none stays behind
    flock 9
    "$1" ;;
  status | sum) "$1" ;;
  keep) wallet=$ARASHI_WALLET keep "$2" ;;
  *)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2 ;;
esac
