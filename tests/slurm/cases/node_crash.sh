# A node dies while a checkpoint is written: the script outlives it, the job is requeued and never COMPLETED before the
# end; it waits for a node and goes on from the newest intact checkpoint.
source "$(dirname "$0")/../lib.sh"
steps=120
tiny_data data
reference
job=$(submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run" \
  --run.checkpoint-every=2 --run.timeout=6)
wait_until 30 "step 10" has_step run 10
for ((try = 0; try < 5000; ++try)); do
  if compgen -G 'run/checkpoints/.step-*.partial/rank-*' >/dev/null; then break; fi
done
((try < 5000)) || fail "no checkpoint was being written"
node-crash node2
crashed=$(step_of run)
((crashed < steps)) || fail "it had ended before"
sleep 2
node-boot node2
ended "$job" COMPLETED
(($(restarts_of "$job") >= 1)) || fail "was not requeued"
grep -q "going on after step" run/logs/rank-00000.log || fail "began anew"
same_as_reference run
