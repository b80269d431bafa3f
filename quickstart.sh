#!/usr/bin/env bash
# From a fresh machine to pictures of a model that has just been trained, in about eight minutes on
# two cores: installs what is missing, builds, draws a small data set, trains, samples.
# Safe to run twice: what is there is used again, and training goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")"
[[ $# -eq 0 ]] || { echo "quickstart.sh takes no arguments, '$1' was given" >&2; exit 2; }

edt=build/release/edt
data=quickstart/data
run=quickstart/run

step() { printf '\n== %s\n' "$1"; }

step "1/5 Packages"
scripts/install-dependencies.sh

step "2/5 Build"
# All files of a folder at once: two thirds of the compiler's time. EDT_CUDA=ON: for GPUs too.
cmake --preset release -DEDT_TESTS=OFF -DEDT_UNITY_BATCH=0 -DEDT_CUDA="${EDT_CUDA:-OFF}" >/dev/null
cmake --build --preset release --target edt

step "3/5 Data: pictures of ten classes as latents in HDF5 shards"
"$edt" data synth --out "$data" --samples 8192 --classes 10 --image-size 64 --channels 16

step "4/5 Training"
"$edt" train --config configs/quickstart.ini --data "$data" --run.dir "$run"

step "5/5 Sampling"
"$edt" sample --checkpoint "$run" --data "$data" --classes 0,1,2,3,4,5,6,7,8,9 --per-class 4 \
  --sampler heun --steps 30 --cfg-scale 2 --out "$run/samples.png"

echo
echo "Done. Pictures of the trained model, one row for each class: $run/samples.png"
echo "How they came to be: $run/samples/. Loss and speed of each step: $run/metrics.jsonl."
