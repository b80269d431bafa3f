#!/usr/bin/env bash
# A chain of jobs that train one after the other in the same run directory, for clusters where jobs may not be
# requeued, or to have the next one waiting in the queue already:
#   slurm/chain.sh 5 [options of sbatch] slurm/nodes.sbatch --config configs/edt-s-2.ini --data DATA --run.dir runs/s2
# Each job goes on where the one before it saved. When one of them is done, or fails for good, the rest is cancelled.
set -euo pipefail
if [[ ! ${1:-} =~ ^[1-9][0-9]*$ || $# -lt 2 ]]; then
  echo "usage: chain.sh JOBS [options of sbatch] SCRIPT [options of edt train]" >&2
  exit 2
fi
jobs=$1
shift
# The name of the chain is how a job finds the others to cancel.
export EDT_CHAIN EDT_REQUEUE=none
EDT_CHAIN="edt-chain-$(date +%s)-$$"
previous=
for ((i = 1; i <= jobs; ++i)); do
  job=$(sbatch --parsable --no-requeue --job-name="$EDT_CHAIN" ${previous:+--dependency="afterany:$previous"} "$@")
  previous=${job%%;*}
  echo "$previous"
done
