# A node dies while a checkpoint is written: the script outlives it, the job is requeued and never COMPLETED before the
# end; it waits for a node and goes on from the newest intact checkpoint.
source "$(dirname "$0")/../lib.sh"
steps=120
tiny_data data
reference
# Both ranks wait inside the checkpoint of step 10: their files are there, the manifest is not.
export EDT=$faulty_edt EDT_FAULT="all io:verified 5 wait $work/written"
job=$(submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run" \
  --run.checkpoint-every=2 --run.timeout=15)
both_are_there() { [[ -e written.0 && -e written.1 ]]; }
wait_until "the checkpoint" both_are_there
compgen -G 'run/checkpoints/.step-*.partial/rank-*' >/dev/null || fail "no checkpoint is being written"
node-crash node2
crashed=$(step_of run)
((crashed < steps)) || fail "it had ended before"
sleep 2
node-boot node2
# Whether srun notices is chance: the node that answers at the address now may reset its connection. Where it does not,
# rank 0 names the rank that is gone within its time-out, also where Open MPI keeps the thread that listens.
is_broken_off() { grep -q "broken off, status" "slurm-$job.out"; }
wait_until "the end of the ranks" is_broken_off
grep -qE 'rank [01] of 2 on node[12] stalls|STEP .* CANCELLED|Aborting, io error' "slurm-$job.out" || fail "nobody was named"
ended "$job" COMPLETED
(($(restarts_of "$job") >= 1)) || fail "was not requeued"
grep -q "going on after step" run/logs/rank-00000.log || fail "began anew"
same_as_reference run
