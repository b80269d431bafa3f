# sbatch over two nodes with two ranks each, under srun and under mpirun: the weights of one rank.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
for launcher in srun mpirun; do
  job=$(EDT_LAUNCHER=$launcher submit --nodes=2 --ntasks-per-node=2 --time=10 "$root/slurm/nodes.sbatch" \
    $(options) --run.dir="$work/run-$launcher")
  ended "$job" COMPLETED
  grep -q "on node\[1-2\]" "slurm-$job.out" || fail "not on both nodes"
  grep -q "4 ranks" run-$launcher/logs/rank-00000.log || fail "not 4 ranks"
  same_as_reference run-$launcher
done
