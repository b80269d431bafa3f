#!/usr/bin/env bash
# One case of tests/slurm/cases on a cluster of its own: run-case.sh NAME FOLDER [options of slurm-cluster.sh].
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
case=$here/cases/$1.sh work=$2
shift 2
rm -rf "$work"
mkdir -p "$work/logs"
exec "$here/../../scripts/slurm-cluster.sh" --logs "$work/logs" "$@" bash "$case" "$(realpath "$work")"
