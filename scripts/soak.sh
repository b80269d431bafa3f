#!/usr/bin/env bash
# Trains on a real Slurm of two nodes while something goes wrong every 30 to 60 seconds: a rank killed, a node killed, a
# requeue, SIGTERM, a frozen rank, a network cut, a full disk, the newest checkpoint damaged. In the end every step
# stands in the metrics once, and the weights are those of a run that nothing happened to. Prints a table; exit status 1
# when something was lost or hung.
# Usage: scripts/soak.sh [--duration SECONDS] [--every LEAST,MOST] [--seed S]     (one hour by default)
set -euo pipefail
cd "$(dirname "$0")/.."
arguments=("$@")
duration=3600 least=30 most=60 seed=1
while [[ $# -gt 0 ]]; do
  [[ $# -gt 1 ]] || { echo "scripts/soak.sh: $1 needs a value" >&2 && exit 2; }
  case $1 in
    --work) work=$2 ;;
    --duration) duration=$2 ;;
    --every) least=${2%,*} most=${2#*,} ;;
    --seed) seed=$2 ;;
    *) echo "scripts/soak.sh: unknown option $1" >&2 && exit 2 ;;
  esac
  shift 2
done
if [[ -z ${EDT_CLUSTER:-} ]]; then
  work=$(mktemp -d)
  status=0
  scripts/slurm-cluster.sh --logs "$work/logs" "$PWD/scripts/soak.sh" --work "$work" ${arguments[@]+"${arguments[@]}"} || status=$?
  if ((status == 0)); then rm -rf "$work"; else echo "logs are in $work"; fi
  exit $status
fi

RANDOM=$seed
source tests/slurm/lib.sh "$work"
run=$work/disk/run
steps=100000000
limit=240  # seconds until a disturbed run must train again

# A disk that can be filled; nodes see it once they have booted after it was mounted.
mkdir -p "$work/disk"
mount -t tmpfs -o size=64m tmpfs "$work/disk"
for node in node1 node2; do node-crash $node && node-boot $node; done
# shellcheck disable=SC2016  # for eval
wait_until "both nodes are back" eval '[[ $(sinfo -h -N -t idle -o %N | wc -l) -eq 2 ]]'
tiny_data "$work/data"
# shellcheck disable=SC2046  # words, to be split
job=$(EDT_MAX_CRASHES=1000 submit --nodes=2 --ntasks-per-node=1 --time=7-0 "$root/slurm/nodes.sbatch" $(options) \
  --run.dir="$run" --run.checkpoint-every=2 --run.wait-for-checkpoint=on --run.timeout=8)
wait_until "the first steps" has_step "$run" 5

a_node() { echo "node$((RANDOM % 2 + 1))"; }
newest() { find "$run/checkpoints" -maxdepth 1 -name 'step-*' ! -name '*.damaged' | sort | tail -n 1; }
kill_rank() { node-run "$(a_node)" pkill -KILL -x edt || true; }
kill_node() {
  local node
  node=$(a_node)
  node-crash "$node"
  sleep 4
  node-boot "$node"
}
requeue() { scontrol requeue "$job" || true; }
sigterm() { scancel --signal=TERM "$job" || true; }
warning() { scancel --batch --signal=USR1 "$job" || true; }
freeze() { node-run "$(a_node)" pkill -STOP -x edt || true; }
cut_network() {
  local node
  node=$(a_node)
  node-link "$node" down
  sleep 25
  node-link "$node" up
}
fill_disk() {
  dd if=/dev/zero of="$work/disk/filler" bs=64k status=none 2>/dev/null || true
  sleep 5
  rm -f "$work/disk/filler"
}
damage_newest() {
  local file
  [[ $(find "$run/checkpoints" -path '*/step-*/complete' ! -path '*.damaged/*' | wc -l) -ge 2 ]] || return 0
  file=$(find "$(newest)" -name 'rank-*.h5' 2>/dev/null | tail -n 1)
  if [[ -n $file ]]; then truncate -s -100 "$file" 2>/dev/null || true; fi
  kill_rank
}

kinds=(kill_rank kill_node requeue sigterm warning freeze cut_network fill_disk damage_newest)
declare -A count longest
for kind in "${kinds[@]}"; do count[$kind]=0 longest[$kind]=0; done
goes_on() { local now; now=$(step_of "$run"); [[ -n $now ]] && ((now > $1)); }
end=$((SECONDS + duration))
bag=()
while ((SECONDS < end)); do
  sleep $((least + RANDOM % (most - least + 1)))
  # Each kind once in random order, then again.
  if ((${#bag[@]} == 0)); then mapfile -t bag < <(shuf -e "${kinds[@]}" --random-source=<(yes "$RANDOM")); fi
  kind=${bag[0]}
  bag=("${bag[@]:1}")
  begin=$SECONDS
  $kind
  # What was struck has come to a stop by then; it trains again when it is well beyond that step.
  sleep 3
  before=$(step_of "$run")
  patience=$limit wait_until "training goes on after $kind" goes_on $((${before:-0} + 5))
  count[$kind]=$((count[$kind] + 1))
  took=$((SECONDS - begin))
  if ((took > longest[$kind])); then longest[$kind]=$took; fi
  echo "$(date +%T) $kind at step $before: trains again after $took s, at step $(step_of "$run")"
done
touch "$run/stop"
ended "$job" COMPLETED
steps=$(step_of "$run")
reference
same_as_reference "$run"
printf '| disturbance | survived | longest pause |\n|---|---|---|\n'
for kind in "${kinds[@]}"; do printf '| %s | %d | %d s |\n' "$kind" "${count[$kind]}" "${longest[$kind]}"; done
echo "$steps steps, $(restarts_of "$job") restarts, weights as undisturbed"
