# Slurm's own warning ahead of the time limit: the run saves, is requeued, goes on, and ends in the same bits.
source "$(dirname "$0")/../lib.sh"
steps=2000  # more than a fast machine takes until that look
tiny_data data
reference
# The controller looks at time limits every 30 s from its start on, and a minute's job that is warned 50 s ahead is told
# at its first look: it begins some seconds before one.
before_a_look() {
  local phase=$(($(ps -o etimes= -p 1) % 30))
  ((phase >= 21 && phase <= 24))
}
wait_until 60 "the time before a look" before_a_look
job=$(submit --nodes=2 --ntasks-per-node=1 --time=1 --signal=B:USR1@50 "$root/slurm/nodes.sbatch" $(options) \
  --run.dir="$work/run")
ended "$job" COMPLETED 150
grep -q "SIGUSR1 after step" run/logs/rank-00000.log || fail "was not told"
(($(restarts_of "$job") >= 1)) || fail "was not requeued"
same_as_reference run
