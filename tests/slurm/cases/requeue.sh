# scontrol requeue by a user or the site: saved within KillWait, started again by Slurm on other nodes.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
hold_until_told
job=$(EDT_LAUNCHER=mpirun submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) \
  --run.dir="$work/run")
wait_until "both ranks in step 4" are_held
scontrol requeue "$job"
ended "$job" COMPLETED
(($(restarts_of "$job") == 1)) || fail "requeued $(restarts_of "$job") times"
grep -q "going on after step" run/logs/rank-00000.log || fail "began anew"
same_as_reference run
