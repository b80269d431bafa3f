# A node dies while a checkpoint is written: the script outlives it, the job is requeued and never COMPLETED before the
# end; it waits for a node and goes on from the newest intact checkpoint. $nodes of them, $each ranks on each.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
nodes=${nodes:-2} each=${each:-1}
ranks=$((nodes * each))
steps=120
tiny_data data
reference
# All ranks wait inside the checkpoint of step 10: their files are there, the manifest is not.
export EDT=$faulty_edt EDT_FAULT="all io:verified 5 wait $work/written"
job=$(submit --nodes="$nodes" --ntasks-per-node="$each" --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run" \
  --run.checkpoint-every=2 --run.timeout=15)
all_are_there() { (($(compgen -G 'written.[0-9]*' | wc -l) == ranks)); }
wait_until "the checkpoint" all_are_there
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
grep -qE "rank [0-9] of $ranks on node[0-9] stalls|STEP .* CANCELLED|Aborting, io error" "slurm-$job.out" || fail "nobody was named"
ended "$job" COMPLETED
(($(restarts_of "$job") >= 1)) || fail "was not requeued"
grep -q "going on after step" run/logs/rank-00000.log || fail "began anew"
same_as_reference run
