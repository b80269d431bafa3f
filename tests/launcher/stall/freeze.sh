#!/usr/bin/env bash
# A rank of a training run freezes in each phase of a step: it is named with that phase and its last collective, the
# ranks that can write what they were doing, and the job ends with the status that requeues it.
# Usage: freeze.sh STALLING_RUN
set -euo pipefail
program=$1
cd "$(dirname "$0")/../../.."
source scripts/lib/ranks.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$edt" data synth --out "$work/data" --samples 64 --image-size 128 --quiet >/dev/null

# freeze RANK PHASE STATUS [fail]
freeze() {
  local run=$work/run-$1-$2 status=0 begin=$SECONDS
  on_ranks 2 timeout 60 "$program" "$work/data" "$run" "$1" "$2" ${4:+"$4"} >"$work/out" 2>&1 || status=$?
  # A collective of the others that waits for it comes first, or its silence does.
  local line="\[watchdog\] rank $1 of 2 on [^ ]* stalls: .*phase \"$2\"" place='[a-z_]* #[0-9]* "[^"]*" of "[^"]*"'

  if ((status != $3)) || ! grep "$line" "$work/out" | grep -q "$place"; then
    echo "rank $1 in $2: status $status, wanted $3 and $line" && tail -n 20 "$work/out" && exit 1
  fi
  local other=$((1 - $1))
  grep -q '"frames"' "$run/logs/stall-rank-$other.json" || { echo "no stacks of rank $other" && exit 1; }
  grep -q "latents\|shard" "$run/logs/stall-rank-$other.json" || { echo "no open files of rank $other" && exit 1; }
  echo "rank $1 in $2: named after $((SECONDS - begin)) s: $(grep -m 1 -o 'stalls: .*' "$work/out")"
}

for phase in data forward backward collective optimizer checkpoint; do freeze 1 $phase 5; done
freeze 0 backward 5
freeze 1 forward 1 fail
