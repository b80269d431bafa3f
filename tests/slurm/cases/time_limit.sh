# Slurm's own warning ahead of the time limit: the run saves, is requeued, goes on, and ends in the same bits.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
# The controller looks at time limits every 30 s: a minute's job that is warned 50 s ahead is told 10 to 40 s after its
# begin and has until the next look to save.
hold_until_told
job=$(submit --nodes=2 --ntasks-per-node=1 --time=1 --signal=B:USR1@50 "$root/slurm/nodes.sbatch" $(options) \
  --run.dir="$work/run")
ended "$job" COMPLETED
grep -q "SIGUSR1 after step" run/logs/rank-00000.log || fail "was not told"
(($(restarts_of "$job") >= 1)) || fail "was not requeued"
same_as_reference run
