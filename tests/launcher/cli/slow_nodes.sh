#!/usr/bin/env bash
# Three nodes on a switch: edt doctor --measure names the one whose adapter is slow, and the link that is slow between two
# whose others are not. Needs root and iproute2; skipped without.
set -euo pipefail
cd "$(dirname "$0")/../../.."
skip() { echo "SKIPPED: $*" && exit 0; }
[[ $EUID -eq 0 ]] || skip "network namespaces need root"
command -v tc >/dev/null || skip "there is no iproute2"
source scripts/lib/ranks.sh
source scripts/lib/nodes.sh
ip netns add "edt-$$-probe" 2>/dev/null || skip "network namespaces may not be made here"
ip netns del "edt-$$-probe"
nodes_new 3 1
trap nodes_remove EXIT
nodes_switch
node_rates 1 400mbit 2 100mbit 2>/dev/null || skip "this kernel has no htb or u32"

run=$nodes_work/run
"$edt" data synth --quiet --samples 32 --image-size 128 --out "$nodes_work/data"
# shellcheck disable=SC2046  # options
"$edt" train $(tiny_train_options "$nodes_work/data") --train.steps=1 --run.dir="$run"

# named TEXT: what the doctor has named has it.
named() {
  grep -q "warning: .*$1" "$nodes_work/out" ||
    { cat "$nodes_work/out" && echo "FAILED: '$1' is not named" && exit 1; }
}
not_named() {
  if grep -q "warning: .*$1" "$nodes_work/out"; then cat "$nodes_work/out" && echo "FAILED: '$1' is named" && exit 1; fi
}
measure() {
  on_nodes "$edt" doctor --measure "$nodes_work/$1.ini" "$run" >"$nodes_work/out" 2>"$nodes_work/err" ||
    { echo "FAILED: status $?" && cat "$nodes_work/err" && exit 1; }
  cat "$nodes_work/out"
}
for node in 1 2 3; do node_rates $node 400mbit; done
node_rates 2 100mbit
measure node
named "node-2 is slow: it exchanges .* with other nodes"
not_named "the link between"
node_rates 1 400mbit 3 100mbit
node_rates 2 400mbit
node_rates 3 400mbit 1 100mbit
measure link
named "the link between node-1 and node-3 is slow"
grep -q '^nodes = 3$' "$nodes_work/link.ini" || { cat "$nodes_work/link.ini" && exit 1; }

# Ranks of a node that are no neighbours would be taken for two nodes.
cat >"$nodes_work/as" <<'END'
#!/bin/sh
name=$1
shift
exec unshare --uts sh -c 'hostname "$0"; exec "$@"' "$name" "$@"
END
chmod +x "$nodes_work/as"
doctor=("$edt" doctor --measure "$nodes_work/none.ini" "$run")
mpirun "${mpi_flags[@]}" -np 1 "$nodes_work/as" a "${doctor[@]}" : -np 1 "$nodes_work/as" b "${doctor[@]}" : \
  -np 1 "$nodes_work/as" a "${doctor[@]}" >"$nodes_work/out" 2>&1 </dev/null && echo "FAILED: not refused" && exit 1
grep -q "ranks of a are not neighbours" "$nodes_work/out" || { cat "$nodes_work/out" && echo "FAILED" && exit 1; }
[[ ! -e $nodes_work/none.ini ]] || { echo "FAILED: something was written" && exit 1; }
