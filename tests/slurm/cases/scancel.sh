# A cancelled job saves and stays cancelled; the next job on the same run directory goes on.
source "$(dirname "$0")/../lib.sh"
steps=80
tiny_data data
reference
submit_run() {
  submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run"
}
job=$(submit_run)
wait_until 30 "step 3" has_step run 3
scancel "$job"
ended "$job" CANCELLED
(($(restarts_of "$job") == 0)) || fail "it was requeued"
sleep 1
saved=$(step_of run)
((saved < steps)) || fail "it ended before it was cancelled"
[[ -e run/checkpoints/step-$(printf %06d "$saved")/complete ]] || fail "step $saved was not saved"
job=$(submit_run)
ended "$job" COMPLETED
grep -q "going on after step $saved" run/logs/rank-00000.log || fail "it did not go on after step $saved"
same_as_reference run
