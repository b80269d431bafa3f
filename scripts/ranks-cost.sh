#!/usr/bin/env bash
# What ranks cost on one machine: training steps of EDT-S/2 by 1 rank with 2 threads against 2 ranks with 1 thread
# each, the same global batch, for ZeRO stages 1-3, in turn, several rounds. Prints medians of images/s and of the
# ratio to the one rank of the same round. Needs jq.
# Usage: scripts/ranks-cost.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh
rounds=${1:-5}
[[ $# -le 1 && $rounds =~ ^[1-9][0-9]*$ ]] || { echo "usage: scripts/ranks-cost.sh [ROUNDS]" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# bench OUT RANKS THREADS MICRO_BATCHES options...: images/s and the shares of communication.
bench() {
  local out=$1 ranks=$2 threads=$3 accumulate=$4
  shift 4
  OMP_NUM_THREADS=$threads on_ranks "$ranks" "$edt" bench step --model=EDT-S/2 --micro-batch=8 \
    --accumulate="$accumulate" --rounds=2 --json "$@" |
    jq -r '"\(.images_per_s) \(.exposed_communication) \(.hidden_communication)"' >>"$work/$out"
}

for ((round = 0; round < rounds; ++round)); do
  bench alone 1 2 2
  for stage in 1 2 3; do bench "stage$stage" 2 1 1 --parallel.zero="$stage"; done
done

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
printf '| | images/s | against one rank | waited for | hidden |\n|---|---|---|---|---|\n'
printf '| 1 rank x 2 threads | %.2f | | | |\n' "$(cut -d' ' -f1 "$work/alone" | median)"
for stage in 1 2 3; do
  printf '| 2 ranks x 1 thread, stage %d | %.2f | %.3f | %.1f %% | %.1f %% |\n' "$stage" \
    "$(cut -d' ' -f1 "$work/stage$stage" | median)" \
    "$(paste -d' ' "$work/stage$stage" "$work/alone" | awk '{ print $1 / $4 }' | median)" \
    "$(awk '{ print 100 * $2 }' "$work/stage$stage" | median)" \
    "$(awk '{ print 100 * $3 }' "$work/stage$stage" | median)"
done
