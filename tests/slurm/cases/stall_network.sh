# The network of a node is cut while ranks talk, which neither Open MPI nor, for a while, Slurm notices: the rank there
# is named, both ranks end, the job is requeued and goes on when the node is back, with the same bits.
source "$(dirname "$0")/../lib.sh"
steps=12
tiny_data data
reference
hold_at_samples 12  # before Slurm itself misses the node (SlurmdTimeout, 15 s)
job=$(submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run" \
  --run.checkpoint-every=4 "${sampling[@]}")
wait_until "both ranks at step 6" are_at samples
wait_until "the checkpoint of step 4" is_saved 4
node-link node2 down
let_go
wait_until "the verdict" grep -q 'rank 1 of 2 on node2 stalls: no sign of life' "slurm-$job.out"
no_ranks() { ! node-run "$1" pgrep -x edt >/dev/null; }
wait_until "the rank out of reach ends by itself" no_ranks node2
wait_until "the rank beside it ends" no_ranks node1
node-link node2 up
ended "$job" COMPLETED
(($(restarts_of "$job") >= 1)) || fail "was not requeued"
same_as_reference run
