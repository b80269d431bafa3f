#!/usr/bin/env bash
# A real Slurm cluster for as long as a command runs: munge, slurmctld and N slurmd of Debian's packages, without
# systemd. All of it lives in one process namespace, each node in namespaces of its own inside (process, network,
# mount, host name): whatever happens to this script, the kernel takes everything down with it.
# Usage: scripts/slurm-cluster.sh [--nodes N] [--cpus N] [--logs DIRECTORY] COMMAND...
#   COMMAND runs where the controller is: sbatch, srun, scancel, scontrol work, and so do
#     node-crash NODE            kills every process of the node at once (a power cut)
#     node-boot NODE             starts it again, with empty scratch
#     node-link NODE up|down     its network
#     node-run NODE COMMAND...   runs a command on it, outside of any job
# Exit status: that of COMMAND; 77 with one line where a cluster cannot be had.
set -euo pipefail

nodes=2 cpus=2 logs=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --nodes) nodes=$2 ;;
    --cpus) cpus=$2 ;;
    --logs) logs=$2 ;;
    *) echo "unknown option $1" >&2 && exit 2 ;;
  esac
  shift 2
done
[[ $# -gt 0 ]] || { echo "no command given" >&2 && exit 2; }

skip() { echo "skipped: $*" && exit 77; }
[[ $EUID -eq 0 ]] || skip "a Slurm cluster in namespaces needs root"
for program in munged slurmctld slurmd srun unshare nsenter ip; do
  command -v $program >/dev/null || skip "there is no $program (scripts/install-dependencies.sh has the packages)"
done
unshare --net --uts --mount --pid --fork --mount-proc true 2>/dev/null || skip "this kernel gives no namespaces"
[[ -d /sys/fs/cgroup ]] || skip "/sys/fs/cgroup is not mounted, slurmd does not start without"

here=$(cd "$(dirname "$0")" && pwd)
logs=$(realpath "${logs:-$(mktemp -d)}")
mkdir -p "$logs"
exec unshare --net --uts --mount --pid --fork --kill-child=KILL --mount-proc \
  "$here/lib/slurm-controller.sh" "$nodes" "$cpus" "$logs" "$@"
