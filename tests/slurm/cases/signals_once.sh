# A warning of Slurm's to the batch shell reaches every rank exactly once, under srun and under mpirun; the status of
# the ranks is that of the job.
source "$(dirname "$0")/../lib.sh"
cat >counter <<'COUNTER'
#!/usr/bin/env bash
# In place of edt: notes each signal until two seconds after the first, then ends with status 3. No rank ends before all
# have stopped noting: the first end makes srun and mpirun send SIGTERM to the others.
rank=${OMPI_COMM_WORLD_RANK:-$SLURM_PROCID} first=
note() { echo "$1" >>"$SLURM_SUBMIT_DIR/signals-$SLURM_JOB_ID-$rank"; first=${first:-$SECONDS}; }
mark() { touch "$SLURM_SUBMIT_DIR/$1-$SLURM_JOB_ID-$rank"; }
count() { ls "$SLURM_SUBMIT_DIR/$1-$SLURM_JOB_ID-"* 2>/dev/null | wc -l; }
trap 'note USR1' USR1
trap 'note TERM' TERM
mark started
while [[ -z $first ]] || ((SECONDS < first + 2)); do sleep 0.1; done
trap '' USR1 TERM
mark noted
while (($(count noted) < 4 && SECONDS < first + 30)); do sleep 0.1; done
exit 3
COUNTER
chmod +x counter
all_started() { (($(find . -name "started-$1-*" | wc -l) == 4)); }
for launcher in srun mpirun; do
  job=$(EDT_LAUNCHER=$launcher EDT_REQUEUE=none EDT="$work/counter" submit --nodes=2 --ntasks-per-node=2 --time=10 \
    "$root/slurm/nodes.sbatch" --run.dir="$work/none")
  wait_until "start of 4 ranks" all_started "$job"
  sleep 0.5
  scancel --batch --signal=USR1 "$job"
  ended "$job" FAILED
  scontrol show job -o "$job" | grep -q "ExitCode=3:0" || fail "$launcher: $(scontrol show job -o "$job" | grep -o 'ExitCode=[^ ]*')"
  for rank in 0 1 2 3; do
    [[ $(cat "signals-$job-$rank") == USR1 ]] || fail "$launcher, rank $rank got: $(tr '\n' ' ' <"signals-$job-$rank")"
  done
done
