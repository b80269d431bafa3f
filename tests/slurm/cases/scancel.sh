# A cancelled job saves and stays cancelled; the next job on the same run directory goes on.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
hold_until_told
submit_run() {
  submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run"
}
job=$(submit_run)
wait_until "both ranks in step 4" are_held
scancel "$job"
ended "$job" CANCELLED
(($(restarts_of "$job") == 0)) || fail "it was requeued"
wait_until "the end of the ranks" test -e run/outcome.json
saved=$(step_of run)
((saved == 4)) || fail "the last step is $saved"
[[ -e run/checkpoints/step-$(printf %06d "$saved")/complete ]] || fail "step $saved was not saved"
job=$(submit_run)
ended "$job" COMPLETED
grep -q "going on after step $saved" run/logs/rank-00000.log || fail "it did not go on after step $saved"
same_as_reference run
