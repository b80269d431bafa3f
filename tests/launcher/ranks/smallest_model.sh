#!/usr/bin/env bash
# A model whose parts are one block of the flat layout each, so that the last rank owns everything and the others
# nothing: at every ZeRO stage it trains, draws samples while it does, and ends with the bits of one rank.
# Usage: smallest_model.sh RANKS
set -euo pipefail
ranks=$1
batch=$((ranks % 3 ? 4 : 12)) # in as many micro-batches
cd "$(dirname "$0")/../../.."
source scripts/lib/ranks.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$edt" data synth --out "$work/data" --samples 16 --image-size 64 --quiet >/dev/null

# train RANKS STAGE RUN: ends also where ranks wait for each other.
train() {
  on_ranks "$1" timeout -k 5 60 "$edt" train --quiet --data.path="$work/data" --run.dir="$3" --model EDT-Ti/2 \
    --model.image-size 64 --model.widths 8,12,16,12,8 --model.heads 2,3,4,3,2 --train.batch "$batch" --train.micro-batch 1 \
    --train.steps 3 --run.sample-every 1 --run.sample-images 4 --run.sample-steps 2 --parallel.zero="$2"
}

train 1 0 "$work/alone"
for stage in 0 1 2 3; do
  run=$work/stage-$stage
  train "$ranks" "$stage" "$run" || { echo "$ranks ranks, stage $stage: status $?" && exit 1; }
  "$edt" ckpt compare --first "$work/alone" --second "$run"
  for step in 1 2 3; do
    cmp "$work/alone/samples/step-0000000$step.png" "$run/samples/step-0000000$step.png"
  done
done
