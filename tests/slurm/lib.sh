# Shell functions of the tests on a real Slurm. A case is a script beside this one, run where the controller is
# (scripts/slurm-cluster.sh) in an empty folder that all nodes see; $1 is that folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
source scripts/lib/ranks.sh
work=$1
cd "$work"
export EDT=$edt

fail() {
  echo "FAILED: $*" >&2
  show_logs >&2
  exit 1
}
show_logs() {
  local file
  for file in "$work"/*.out "$work"/run*/logs/rank-00000.log; do
    if [[ -e $file ]]; then echo "== $file" && tail -n 25 "$file"; fi
  done
  squeue || true
}
status=0
trap 'status=$?; if ((status != 0)); then echo "ended with status $status" >&2; show_logs >&2; fi' EXIT

# The options of a run of 20 steps, a second or two; $steps makes it longer, $batch sets the images of a step.
steps=20
options() {
  local all
  all=$(tiny_train_options "$work/data")
  echo "${all/--quiet/--log-level=info}" --run.log-every=1000 "--train.steps=$steps" ${batch:+"--train.batch=$batch"}
}

# The run that was never disturbed: $work/reference.
reference() {
  "$edt" train $(options) --run.dir="$work/reference" 2>/dev/null
}

# same_as_reference RUN: its weights, its metrics with every step once.
same_as_reference() {
  "$edt" ckpt compare --first "$work/reference" --second "$1" || fail "other weights than the undisturbed run"
  every_step_once "$1"
}
every_step_once() {
  local found
  found=$(sed 's/^{"step":\([0-9]*\),.*/\1/' "$1/metrics.jsonl")
  [[ $found == "$(seq "$steps")" ]] || fail "steps in $1/metrics.jsonl: $(tr "\n" " " <<<"$found")"
}

# From now on runs of two ranks wait inside step 4, once, until a signal asks them to stop.
hold_until_told() { export EDT=$faulty_edt EDT_FAULT="all phase:optimizer 4 told $work/held"; }
are_held() { are_at held; }
# From now on runs of two ranks wait before the sample grid of step 6, once, until let_go; the watchdog gives grids the
# time that they take. They need $sampling. After 15 s the watchdog ends the first start, which is to stall; one that goes
# on may have to wait for a processor.
hold_at_samples() {
  cat >"$work/edt" <<STARTER
#!/usr/bin/env bash
seconds=300
if ((\${SLURM_RESTART_COUNT:-0} == 0)); then seconds=15; fi
exec $faulty_edt "\$@" --run.timeout=\$seconds
STARTER
  chmod +x "$work/edt"
  export EDT=$work/edt EDT_FAULT="all phase:samples 1 wait $work/samples"
}
let_go() { touch "$work/samples.go"; }
# shellcheck disable=SC2034  # cases read it
sampling=(--run.sample-every=6 --run.sample-steps=2)
# are_at NAME: both ranks of a run wait at that fault.
are_at() { [[ -e $work/$1.0 && -e $work/$1.1 ]]; }

# submit OPTIONS... SCRIPT OPTIONS...: the number of the job.
submit() { sbatch --parsable "$@"; }

state_of() { scontrol show job -o "$1" 2>/dev/null | sed -n '1s/.* JobState=\([A-Z_]*\).*/\1/p'; }
restarts_of() { scontrol show job -o "$1" | sed -n '1s/.* Restarts=\([0-9]*\).*/\1/p'; }

# wait_until SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_until() {
  local seconds=$1 what=$2
  shift 2
  local end=$((SECONDS + seconds))
  until "$@"; do
    ((SECONDS < end)) || fail "after $seconds s still not: $what"
    sleep 0.2
  done
}
is_state() { [[ $(state_of "$1") == "$2" ]]; }
has_ended() {
  local state
  state=$(state_of "$1")
  [[ $state =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED)$ ]]
}
# ended JOB STATE [SECONDS]: waits for the end of the job, which is to be in that state.
ended() {
  wait_until "${3:-120}" "the end of job $1" has_ended "$1"
  is_state "$1" "$2" || fail "job $1 is $(state_of "$1"), not $2"
}
# The last step in the metrics of a run.
step_of() { { tail -n 1 "$1/metrics.jsonl" 2>/dev/null || true; } | sed -n 's/^{"step":\([0-9]*\),.*/\1/p'; }
has_step() { (($(step_of "$1" || echo 0) + 0 >= $2)); }
