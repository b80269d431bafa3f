# A warning of Slurm's to the batch shell reaches every rank exactly once, under srun and under mpirun; the status of
# the ranks is that of the job.
source "$(dirname "$0")/../lib.sh"
cat >counter <<'COUNTER'
#!/usr/bin/env bash
# In place of edt: notes each signal, ends with status 3 a second after the first.
rank=${OMPI_COMM_WORLD_RANK:-$SLURM_PROCID} first=
note() { echo "$1" >>"$SLURM_SUBMIT_DIR/signals-$SLURM_JOB_ID-$rank"; first=${first:-$SECONDS}; }
trap 'note USR1' USR1
trap 'note TERM' TERM
touch "$SLURM_SUBMIT_DIR/started-$SLURM_JOB_ID-$rank"
while [[ -z $first ]] || ((SECONDS < first + 2)); do sleep 0.1; done
exit 3
COUNTER
chmod +x counter
all_started() { (($(ls started-"$1"-* 2>/dev/null | wc -l) == 4)); }
for launcher in srun mpirun; do
  job=$(EDT_LAUNCHER=$launcher EDT_REQUEUE=none EDT="$work/counter" submit --nodes=2 --ntasks-per-node=2 --time=10 \
    "$root/slurm/nodes.sbatch" --run.dir="$work/none")
  wait_until 30 "start of 4 ranks" all_started "$job"
  sleep 0.5
  scancel --batch --signal=USR1 "$job"
  ended "$job" FAILED
  scontrol show job -o "$job" | grep -q "ExitCode=3:0" || fail "$launcher: $(scontrol show job -o "$job" | grep -o 'ExitCode=[^ ]*')"
  for rank in 0 1 2 3; do
    [[ $(cat "signals-$job-$rank") == USR1 ]] || fail "$launcher, rank $rank got: $(echo $(cat "signals-$job-$rank"))"
  done
done
