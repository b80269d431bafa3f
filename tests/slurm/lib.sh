# Shell functions of the tests on a real Slurm. A case is a script beside this one, run where the controller is
# (scripts/slurm-cluster.sh) in an empty folder that all nodes see; $1 is that folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
source scripts/lib/ranks.sh
work=$1
cd "$work"
export EDT=$edt

failure=
fail() {
  failure="FAILED: $*"
  echo "$failure" >&2
  exit 1
}
show_logs() {
  local file
  for file in "$work"/logs/{slurmctld,slurmd.*}.log "$work"/{*.log,*.out} "$work"/run*/logs/rank-00000.log; do
    if [[ -e $file ]]; then echo "== $file" && tail -n 25 "$file"; fi
  done
  squeue || true
}
# What failed is said last: the end of the output is what one sees first.
status=0
trap 'status=$?; if ((status != 0)); then show_logs >&2; echo "ended with status $status. $failure" >&2; fi' EXIT

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
# hold_at_samples SECONDS: from now on runs of two ranks wait before the sample grid of step 6, once, until let_go; the
# watchdog gives grids the time that they take. They need $sampling. After SECONDS it ends the start that is to stall,
# and one before it that a slow disk kept that long; one that goes on afterwards may have to wait for a processor.
hold_at_samples() {
  cat >"$work/edt" <<STARTER
#!/usr/bin/env bash
seconds=$1
if [[ -e $work/samples.go ]]; then seconds=300; fi
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
# is_saved STEP: the checkpoint of the run, which a thread writes while steps go on, is complete.
is_saved() { [[ -e $work/run/checkpoints/step-$(printf %06d "$1")/complete ]]; }

# submit OPTIONS... SCRIPT OPTIONS...: the number of the job.
submit() { sbatch --parsable "$@"; }

state_of() { scontrol show job -o "$1" 2>/dev/null | sed -n '1s/.* JobState=\([A-Z_]*\).*/\1/p'; }
restarts_of() { scontrol show job -o "$1" | sed -n '1s/.* Restarts=\([0-9]*\).*/\1/p'; }

# wait_until WHAT COMMAND...: polls until the command succeeds. What takes a second on an idle machine may take minutes on
# one that others use: only what will never come is given up.
patience=240
wait_until() {
  local what=$1 end=$((SECONDS + patience))
  shift
  until "$@"; do
    ((SECONDS < end)) || fail "after $patience s still not: $what"
    sleep 0.2
  done
}
is_state() { [[ $(state_of "$1") == "$2" ]]; }
has_ended() {
  local state
  state=$(state_of "$1")
  [[ $state =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED)$ ]]
}
# ended JOB STATE: waits for the end of the job, which is to be in that state.
ended() {
  wait_until "the end of job $1" has_ended "$1"
  is_state "$1" "$2" || fail "job $1 is $(state_of "$1"), not $2"
}
# The last step in the metrics of a run.
step_of() { { tail -n 1 "$1/metrics.jsonl" 2>/dev/null || true; } | sed -n 's/^{"step":\([0-9]*\),.*/\1/p'; }
has_step() { (($(step_of "$1" || echo 0) + 0 >= $2)); }
