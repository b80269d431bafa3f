# An array of seeds, two at a time, and one of node counts: each run in a folder of its own, with the weights that the
# same options give on one rank.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
job=$(submit --array=5-7%2 --time=10 "$root/slurm/seeds.sbatch" $(options) --run.dir="$work/seeds")
scaling=$(submit --array=1,2 --nodes=2 --time=10 "$root/slurm/scaling.sbatch" $(options) --run.dir="$work/scaling")
all_ended() { [[ -z $(squeue -h) ]]; }
wait_until "the end of both arrays" all_ended
for seed in 5 6 7; do
  [[ $(state_of "${job}_$seed") == COMPLETED ]] || fail "seed $seed: $(state_of "${job}_$seed")"
  every_step_once seeds/seed-$seed
done
same_as_reference seeds/seed-5  # the seed of the reference
if "$edt" ckpt compare --first reference --second seeds/seed-6; then fail "another seed, the same weights"; fi
for nodes in 1 2; do
  [[ $(state_of "${scaling}_$nodes") == COMPLETED ]] || fail "$nodes nodes: $(state_of "${scaling}_$nodes")"
  same_as_reference scaling/nodes-$nodes
done
grep -q "2 ranks" scaling/nodes-2/logs/rank-00000.log || fail "the second is not on two nodes"
if grep -q "2 ranks" scaling/nodes-1/logs/rank-00000.log; then fail "the first is not on one node"; fi
