#!/usr/bin/env bash
# Kills a random rank of a training run with SIGKILL at a random moment, again and again, also while a
# checkpoint is written; in between damages the newest checkpoint (one byte, truncated, a rank file
# gone) and fills the disk while one is written. After each fault the run is started again on another
# number of ranks, 1 to 6, and another ZeRO stage. In the end the state must be bit for bit that of a run that
# was never disturbed. Prints a table; exit status 1 when something was lost.
# Usage: scripts/faults.sh [--kills N] [--seed S]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/ranks.sh

kills=30
RANDOM=1
while [[ $# -gt 0 ]]; do
  case $1 in
    --kills) kills=$2 ;;
    --seed) RANDOM=$2 ;;
    *) echo "unknown option $1" >&2 && exit 2 ;;
  esac
  shift 2
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tiny_data "$work/data"
read -ra options <<<"$(tiny_train_options "$work/data")"
# A checkpoint after every second step, so that many moments are inside one.
steps=$((20 + 40 * kills))
options+=(--train.steps="$steps" --run.checkpoint-every=2 --train.batch=24) # 12 micro-batches

on_ranks 1 "$edt" train "${options[@]}" --run.dir="$work/reference" --parallel.zero=0
run="$work/run"

# A random mesh of the next start.
next_mesh() {
  local choices=(1 2 3 4 6)
  ranks=${choices[RANDOM % 5]}
  stage=$((RANDOM % 4))
  groups=() within=
  if ((stage > 0)); then groups=(--parallel.shard-ranks=0); fi  # a run that goes on keeps what it is not told
  if ((stage > 0 && ranks > 2 && ranks % 2 == 0 && RANDOM % 2)); then
    groups=(--parallel.shard-ranks=2) within=" within 2"
  fi
}

newest() { find "$run/checkpoints" -maxdepth 1 -name 'step-*' ! -name '*.damaged' | sort | tail -1; }

# Damages the newest checkpoint in one of three ways; says which. Never the only one: without any the run
# would rightly refuse to start.
damage() {
  local directory file
  directory=$(newest)
  if [[ -z "$directory" || ! -e "$directory/complete" ||
    $(find "$run/checkpoints" -path '*/step-*/complete' ! -path '*.damaged/*' | wc -l) -lt 2 ]]; then
    damaged="-"
    return
  fi
  file=$(find "$directory" -name "rank-*.h5" | sort | tail -1)
  case $((RANDOM % 3)) in
    0)
      printf '\xff' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
      damaged="one byte of $(basename "$directory")"
      ;;
    1)
      truncate -s -100 "$file"
      damaged="$(basename "$directory") truncated"
      ;;
    2)
      rm "$file"
      damaged="a rank file of $(basename "$directory") gone"
      ;;
  esac
}

# Processes of the run that are ranks: children of its mpirun.
rank_pids() { pgrep -P "$1" -x edt || true; }

printf '| start | mesh | killed after | then damaged |\n|---|---|---|---|\n'
killed=0
for ((start = 1; killed < kills; ++start)); do
  next_mesh
  on_ranks "$ranks" "$edt" train "${options[@]}" --run.dir="$run" --parallel.zero="$stage" "${groups[@]}" \
    >"$work/out" 2>&1 &
  shell=$!
  # From the start of the ranks on, somewhere in the next seconds.
  delay="$((RANDOM % 3)).$((RANDOM % 10))$((RANDOM % 10))"
  sleep "0.6"
  sleep "$delay"
  launcher=$(pgrep -P "$shell" -x mpirun || echo "$shell")
  mapfile -t pids < <(rank_pids "$launcher")
  if [[ ${#pids[@]} -eq 0 ]]; then
    wait "$shell" && break # the run has ended before the blow
    echo "the run failed by itself:" >&2
    cat "$work/out" >&2
    exit 1
  fi
  kill -KILL "${pids[RANDOM % ${#pids[@]}]}"
  killed=$((killed + 1))
  wait "$shell" && echo "mpirun hid that a rank was killed" >&2 && exit 1
  damaged="-"
  if ((killed % 5 == 0)); then damage; fi
  printf '| %d | %d ranks, stage %d%s | %s s | %s |\n' "$start" "$ranks" "$stage" "$within" "$delay" "$damaged"
done

next_mesh
on_ranks "$ranks" "$edt" train "${options[@]}" --run.dir="$run" --parallel.zero="$stage" "${groups[@]}"
echo
"$edt" ckpt compare --first "$work/reference" --second "$run"
skipped=$(grep -ho 'skipping.*' "$run"/logs/rank-00000.log | sed 's|skipping .*/checkpoints/||' || true)
echo "killed $killed times; damaged checkpoints that were skipped, as the log has it:"
echo "${skipped:-none}"

# A disk that is full while checkpoints are written. Needs root, for a disk of its own.
if [[ $EUID -ne 0 ]]; then
  echo "not root: the full disk is left out"
  exit 0
fi
full_run="$work/full"
disk="$full_run/checkpoints"
mkdir -p "$disk"
if ! mount -t tmpfs -o size=64m tmpfs "$disk"; then
  echo "no right to mount a disk: the full disk is left out"
  exit 0
fi
trap 'umount "$disk"; rm -rf "$work"' EXIT
full=("${options[@]}" --run.dir="$full_run" --parallel.zero=2 --train.steps=20)
on_ranks 1 "$edt" train "${options[@]}" --run.dir="$work/short" --train.steps=20
on_ranks 2 "$edt" train "${full[@]}" --train.steps=6
dd if=/dev/zero of="$disk/filler" bs=64k status=none 2>/dev/null || true
if on_ranks 2 "$edt" train "${full[@]}" --train.steps=12 >"$work/out" 2>&1; then
  echo "a run whose last checkpoint could not be written ended with status 0" >&2
  exit 1
fi
failed=$(grep -c 'failed, training goes on' "$full_run/logs/rank-00000.log" || true)
"$edt" ckpt verify --checkpoint "$full_run" >/dev/null
rm "$disk/filler"
on_ranks 2 "$edt" train "${full[@]}"
echo "full disk: $failed checkpoints failed and were reported, training went on; with space again:"
"$edt" ckpt compare --first "$work/short" --second "$full_run"
