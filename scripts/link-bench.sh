#!/usr/bin/env bash
# Two nodes, network namespaces joined by a link of limited rate (tc tbf): how much of the
# communication of a training step the overlap hides, with one rank on each node; with --groups how a state shared
# among the two ranks of a node compares with one shared among all four, with --wires what gradients that
# travel shorter give. Needs root, iproute2 and jq.
# Usage: scripts/link-bench.sh [--groups | --wires] [RATE...]      e.g. 1gbit 100mbit (the default)
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh
source scripts/lib/link.sh
table=overlaps column=overlap
if [[ ${1:-} == --groups ]]; then
  table=shard_groups column="shared among" link_ranks=2
  shift
elif [[ ${1:-} == --wires ]]; then
  table=wires column="gradients as"
  shift
fi
rates=("$@")
[[ ${#rates[@]} -gt 0 ]] || rates=(1gbit 100mbit)
for rate in "${rates[@]}"; do
  [[ $rate =~ ^[1-9][0-9.]*[kmg]bit$ ]] || { echo "'$rate' is no rate such as 100mbit" >&2; exit 2; }
done
trap link_down EXIT
link_up

# step ROW OPTIONS...: exposed and hidden communication of a step, and its time, as the end of a table row.
step() {
  local row=$1
  shift
  on_link "$edt" bench step --model=EDT-S/2 --rounds=2 --json "$@" >"$link_work/out" 2>"$link_work/err" ||
    { cat "$link_work/err" >&2; return 1; }
  jq -r --arg row "$row" '
    def s: . * 100 | round / 100;
    .step_seconds as $t | (.exposed_communication * $t) as $e | (.hidden_communication * $t) as $h
    | "\($row) \($t | s) s | \($e | s) s | \($h | s) s | \(100 * $h / ($e + $h) | round) % |"
  ' "$link_work/out"
}

overlaps() {
  local rate=$1 stage overlap
  for stage in 1 2 3; do
    for overlap in off on; do
      step "| $rate | $stage | $overlap |" --micro-batch=4 --parallel.zero="$stage" --parallel.overlap="$overlap"
    done
  done
}

# Two micro-batches of a rank, as with one gradients of stages 2 and 3 travel no more often than those of stage 1.
shard_groups() {
  local rate=$1 stage size
  for stage in 1 2 3; do
    for size in 4 2; do
      step "| $rate | $stage | $size |" --micro-batch=2 --accumulate=2 --parallel.zero="$stage" --parallel.shard-ranks="$size"
    done
  done
}

wires() {
  local rate=$1 stage dtype
  for stage in 1 2; do
    for dtype in float32 bf16 int8; do
      step "| $rate | $stage | $dtype |" --micro-batch=4 --parallel.zero="$stage" --parallel.reduce-dtype="$dtype"
    done
  done
}

printf '| link | stage | %s | step | waited for | hidden | share hidden |\n|---|---|---|---|---|---|---|\n' "$column"
for rate in "${rates[@]}"; do
  link_limit "$rate"
  "$table" "$rate"
done
