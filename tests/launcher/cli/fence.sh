#!/usr/bin/env bash
# Two ranks of a job live on (here: frozen in a step, and inside a checkpoint) while its restart trains in the same
# run directory. Awake again they stop by themselves, and nothing in the directory has changed.
set -euo pipefail
cd "$(dirname "$0")/../../.."
source scripts/lib/ranks.sh
work=$(mktemp -d)
old=()
trap 'if ((${#old[@]})); then kill -KILL "${old[@]}" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
tiny_data "$work/data"
read -ra options <<<"$(tiny_train_options "$work/data")"
options+=(--train.steps=400 --run.checkpoint-every=2 --run.timeout=600)
export SLURM_JOB_ID=12

content() { (cd "$1" && find . -type f -exec sha256sum {} + | sort -k2); }

for moment in step checkpoint; do
  run=$work/run-$moment
  # io:verified: rank files are there, the manifest is not.
  if [[ $moment == step ]]; then at="phase:forward 20"; else at="io:verified 4"; fi
  SLURM_RESTART_COUNT=0 EDT_FAULT="all $at wait $work/$moment" \
    on_ranks 2 "$faulty_edt" train "${options[@]}" --run.dir="$run" >"$work/old" 2>&1 &
  shell=$!
  until [[ -e $work/$moment.0 && -e $work/$moment.1 ]]; do
    kill -0 "$shell" 2>/dev/null || { echo "$moment: the run has ended by itself" && cat "$work/old" && exit 1; }
    sleep 0.02
  done
  launcher=$(pgrep -P "$shell" -x mpirun || echo "$shell")
  mapfile -t old < <(pgrep -P "$launcher" -x edt)
  kill -STOP "${old[@]}"

  # No slower than the lock of a living process would be waited for.
  SLURM_RESTART_COUNT=1 timeout 60 mpirun "${mpi_flags[@]}" -np 2 "$edt" train "${options[@]}" --run.dir="$run" \
    --train.steps=60 </dev/null >"$work/new" 2>&1 || { cat "$work/new" && exit 1; }
  before=$(content "$run")
  touch "$work/$moment.go"
  kill -CONT "${old[@]}"
  status=0
  wait "$shell" || status=$?
  old=()
  ((status == 1)) || { echo "$moment: the old ranks ended with status $status" && cat "$work/old" && exit 1; }
  grep -q "belongs to generation 2 now, this is generation 1: stopping" "$work/old" ||
    { echo "$moment: the old ranks did not say why they stop" && cat "$work/old" && exit 1; }
  if [[ $(content "$run") != "$before" ]]; then
    echo "$moment: the old ranks changed the run directory" && diff <(echo "$before") <(content "$run") && exit 1
  fi
done
"$edt" ckpt compare --first "$work/run-step" --second "$work/run-checkpoint"
