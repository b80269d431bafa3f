#!/usr/bin/env bash
# Memory of a rank for ZeRO stages 0-3 on 1, 2 and 4 ranks: EDT-S/2 with Adan in float32, two micro-batches of
# one image on each rank. Prints the formula of docs/zero.md beside what the process really has: resident memory
# without the activations and without what no stage changes (kernels and buffers of oneDNN, tables, stacks), which
# is what one rank of stage 0 has beside its state. Needs jq.
# Usage: scripts/zero-memory.sh [MODEL]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh
model=${1:-EDT-S/2}
[[ $# -le 1 && $model != -* ]] || { echo "usage: scripts/zero-memory.sh [MODEL]" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '| ranks | stage | formula | measured | measured / formula |\n|---|---|---|---|---|\n'
for ranks in 1 2 4; do
  for stage in 0 1 2 3; do
    on_ranks "$ranks" "$edt" bench step --model="$model" --micro-batch=1 --accumulate=2 --rounds=1 --json \
      --parallel.zero="$stage" >"$work/out"
    # M and B follow from what one rank of stage 0 allocates, and from the buckets of stages 2 and 3.
    if [[ $ranks == 1 && $stage == 0 ]]; then M=$(jq '.memory["master weights"] / 4' "$work/out"); fi
    if [[ $ranks == 1 && $stage == 2 ]]; then B=$(jq '.memory["gradient buckets"] / 8' "$work/out"); fi
    row=$(jq -r --argjson M "$M" --argjson B "${B:-0}" --argjson N "$ranks" --argjson stage "$stage" '
      2 as $L
      | (if $stage == 0 then 24 * $M else 24 * $M / $N end) as $state
      | (if $stage == 0 or ($stage < 3 and $N == 1) then 0
         elif $stage < 3 then 4 * $M else 3 * 4 * $B end) as $weights
      | (if $stage < 2 then 4 * $M + 4 * $M * ($L | log2) else 4 * $M / $N + 2 * 4 * $B end) as $gradients
      | ($state + $weights + $gradients) as $formula
      | (.memory_growth_bytes - .memory["activations"]) as $measured
      | "\($formula) \($measured)"
    ' "$work/out")
    read -r formula measured <<<"$row"
    fixed=${fixed:-$(awk "BEGIN { print $measured - $formula }")}
    awk -v n="$ranks" -v stage="$stage" -v f="$formula" -v m="$measured" -v c="$fixed" 'BEGIN {
      mib = 1048576
      printf "| %d | %d | %.0f MiB | %.0f MiB | %.3f |\n", n, stage, f / mib, (m - c) / mib, (m - c) / f }'
  done
done
awk -v c="$fixed" 'BEGIN { printf "\nBeside it on every rank: %.0f MiB\n", c / 1048576 }'
