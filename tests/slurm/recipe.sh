#!/usr/bin/env bash
# How slurm/job.sh reads the end of the ranks, without a Slurm: what a launcher says is not always what happened.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SLURM_JOB_ID=1 SLURM_JOB_NODELIST=node1 EDT_MAX_CRASHES=9 EDT=edt
source slurm/job.sh
sleep() { :; }
edt_nodes_answer() { true; }
edt_requeue() { echo "again $1" >"$work/end" && exit 0; }
edt_end() { echo "end $1: $2" >"$work/end" && exit 0; }

takes_generation() { echo "$RANDOM$RANDOM" >"$run/generation"; }
says_how_it_ended() { touch -d '+1 second' "$run/outcome.json"; }
edt_ranks() { "$ranks"; }

# expect WHAT END: edt_train with ranks that do WHAT, after a run that has ended before.
expect() {
  local what=$1 end=$2
  run=$work/$what ranks=$what
  mkdir -p "$run"
  echo 1 >"$run/generation"
  touch -d '1 hour ago' "$run/generation"
  touch -d '30 minutes ago' "$run/outcome.json"
  (edt_train --run.dir="$run" >/dev/null)
  [[ $(cat "$work/end") == "$end" ]] || { echo "$what: '$(cat "$work/end")', not '$end'" >&2 && exit 1; }
}

ends() { takes_generation && says_how_it_ended; }
begins_and_is_gone() { takes_generation; }  # a node that dies, for which srun has status 0
never_starts() { true; }                    # srun that starts no rank, with status 0
is_killed() { takes_generation && return 137; }
saves() { takes_generation && says_how_it_ended && return 3; }
is_wrong() { return 2; }
expect ends "end 0: done"
expect begins_and_is_gone "again 255"
expect never_starts "again 255"
expect is_killed "again 137"
expect saves "again 3"
expect is_wrong "end 2: wrong usage or input"
