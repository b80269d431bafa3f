#!/usr/bin/env bash
# A rank of a training run freezes in each phase of a step: it is named with that phase and its last collective, the
# ranks that can write what they were doing, and the job ends with the status that requeues it.
set -euo pipefail
cd "$(dirname "$0")/../../.."
source scripts/lib/ranks.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tiny_data "$work/data"
read -ra options <<<"$(tiny_train_options "$work/data")"
options+=(--train.steps=1000000 --run.checkpoint-every=1 --run.timeout=4 --run.start-timeout=600)

# freeze RANK PHASE COUNT STATUS [OPTION]: when the rank enters the phase for the COUNT-th time; four micro-batches enter
# one four times in a step
freeze() {
  local run=$work/run-$1-$2-$3 status=0 begin=$SECONDS
  EDT_FAULT="$1 phase:$2 $3 freeze" on_ranks 2 timeout 60 "$faulty_edt" train "${options[@]}" --run.dir="$run" \
    ${5:+"$5"} >"$work/out" 2>&1 || status=$?
  # A collective of the others that waits for it comes first, or its silence does.
  local line="\[watchdog\] rank $1 of 2 on [^ ]* stalls: .*phase \"$2\"" place='[a-z_]* #[0-9]* "[^"]*" of "[^"]*"'

  if ((status != $4)) || ! grep "$line" "$work/out" | grep -q "$place"; then
    echo "rank $1 in $2: status $status, wanted $4 and $line" && tail -n 20 "$work/out" && exit 1
  fi
  local other=$((1 - $1))
  grep -q '"frames"' "$run/logs/stall-rank-$other.json" || { echo "no stacks of rank $other" && exit 1; }
  grep -q "latents\|shard" "$run/logs/stall-rank-$other.json" || { echo "no open files of rank $other" && exit 1; }
  echo "rank $1 in $2, $3: named after $((SECONDS - begin)) s: $(grep -m 1 -o 'stalls: .*' "$work/out")"
}

for phase in data forward backward collective optimizer checkpoint; do freeze 1 $phase 12 5; done
freeze 0 backward 12 5
freeze 1 forward 12 1 --run.on-stall=fail
# In the first step, once both have been through a forward pass: no longer the ten minutes of a start.
freeze 1 collective 1 5
