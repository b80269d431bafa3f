# A rank is frozen on a node of a real cluster: named, the job ends with status 5 and is requeued, the same bits.
source "$(dirname "$0")/../lib.sh"
steps=12
tiny_data data
reference
hold_at_samples 30
job=$(submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run" \
  --run.checkpoint-every=4 "${sampling[@]}")
# Phase, collective and its number stand in the line, in the order that fits.
names_place() { grep -E 'rank 1 of 2 on node2 stalls: .*phase "[a-z]*"' "$1" | grep -qE '[a-z_]+ #[0-9]+ "'; }
wait_until "both ranks at step 6" are_at samples
wait_until "the checkpoint of step 4" is_saved 4
node-run node2 pkill -STOP -x edt
let_go
wait_until "the verdict" names_place "slurm-$job.out"
ended "$job" COMPLETED
grep -q "broken off, status 5" "slurm-$job.out" || fail "not status 5"
grep -q '"frames"' run/logs/stall-rank-0.json || fail "no stacks"
same_as_reference run
