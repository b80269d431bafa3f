#!/usr/bin/env bash
# Two ranks in two network namespaces joined by a link of limited rate (tc tbf): how much of the
# communication of a training step the overlap hides. Needs root, iproute2 and jq.
# Usage: scripts/link-bench.sh [RATE...]      e.g. 1gbit 100mbit (the default)
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh
source scripts/lib/link.sh
rates=("$@")
[[ ${#rates[@]} -gt 0 ]] || rates=(1gbit 100mbit)
for rate in "${rates[@]}"; do
  [[ $rate =~ ^[1-9][0-9.]*[kmg]bit$ ]] || { echo "'$rate' is no rate such as 100mbit" >&2; exit 2; }
done
trap link_down EXIT
link_up

# step OPTIONS...: exposed and hidden communication of a step, and its time, as a table row.
step() {
  on_link "$edt" bench step --model=EDT-S/2 --micro-batch=4 --rounds=2 --json "$@" 2>"$link_work/err" ||
    { cat "$link_work/err" >&2; return 1; }
}

printf '| link | stage | overlap | step | waited for | hidden | share hidden |\n|---|---|---|---|---|---|---|\n'
for rate in "${rates[@]}"; do
  link_limit "$rate"
  for stage in 1 2 3; do
    for overlap in off on; do
      step --parallel.zero="$stage" --parallel.overlap="$overlap" >"$link_work/out"
      jq -r --arg row "| $rate | $stage | $overlap |" '
        def s: . * 100 | round / 100;
        .step_seconds as $t | (.exposed_communication * $t) as $e | (.hidden_communication * $t) as $h
        | "\($row) \($t | s) s | \($e | s) s | \($h | s) s | \(100 * $h / ($e + $h) | round) % |"
      ' "$link_work/out"
    done
  done
done
