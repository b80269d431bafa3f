#!/usr/bin/env bash
# Two ranks in two network namespaces joined by a link of limited rate (tc tbf): how much of the
# communication of a training step the overlap hides. Needs root, iproute2 and jq; no ssh, since mpirun
# enters the other namespace itself.
# Usage: scripts/link-bench.sh [RATE...]      e.g. 1gbit 100mbit (the default)
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh
if [[ $EUID -ne 0 ]]; then
  echo "network namespaces need root" >&2
  exit 2
fi
rates=("$@")
[[ ${#rates[@]} -gt 0 ]] || rates=(1gbit 100mbit)

a=edt-a-$$ b=edt-b-$$
work=$(mktemp -d)
clean_up() {
  ip netns del "$a" 2>/dev/null || true
  ip netns del "$b" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

ip netns add "$a"
ip netns add "$b"
ip link add veth0 netns "$a" type veth peer name veth0 netns "$b"
ip -n "$a" addr add 10.77.0.1/24 dev veth0
ip -n "$b" addr add 10.77.0.2/24 dev veth0
for ns in "$a" "$b"; do
  ip -n "$ns" link set lo up
  ip -n "$ns" link set veth0 up
done

# mpirun reaches the other "host" through this in place of ssh: host name, then the command.
cat >"$work/agent" <<END
#!/bin/sh
shift
exec ip netns exec $b unshare --uts sh -c "hostname node-b; \$*"
END
chmod +x "$work/agent"
printf '10.77.0.1 slots=1\n10.77.0.2 slots=1\n' >"$work/hosts"

# limit RATE: of both directions.
limit() {
  local ns
  for ns in "$a" "$b"; do
    tc -n "$ns" qdisc replace dev veth0 root tbf rate "$1" burst 256kb latency 50ms
  done
}

# step OPTIONS...: exposed and hidden communication of a step, and its time, as a table row.
step() {
  ip netns exec "$a" unshare --uts sh -c 'hostname node-a; exec "$@"' sh \
    mpirun "${mpi_flags[@]}" --hostfile "$work/hosts" -np 2 \
    --mca plm_rsh_agent "$work/agent" --mca btl tcp,self --mca btl_tcp_if_include veth0 \
    --mca oob_tcp_if_include veth0 --mca pml ob1 -x OMP_NUM_THREADS -x OMP_WAIT_POLICY \
    "$edt" bench step --model=EDT-S/2 --micro-batch=4 --rounds=2 --json "$@" 2>"$work/err" ||
    { cat "$work/err" >&2; return 1; }
}

printf '| link | stage | overlap | step | waited for | hidden | share hidden |\n|---|---|---|---|---|---|---|\n'
for rate in "${rates[@]}"; do
  limit "$rate"
  for stage in 1 2 3; do
    for overlap in off on; do
      step --parallel.zero="$stage" --parallel.overlap="$overlap" >"$work/out"
      jq -r --arg row "| $rate | $stage | $overlap |" '
        def s: . * 100 | round / 100;
        .step_seconds as $t | (.exposed_communication * $t) as $e | (.hidden_communication * $t) as $h
        | "\($row) \($t | s) s | \($e | s) s | \($h | s) s | \(100 * $h / ($e + $h) | round) % |"
      ' "$work/out"
    done
  done
done
