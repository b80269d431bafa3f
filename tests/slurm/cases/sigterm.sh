# A site that sends SIGTERM to the ranks and nothing else: saved, requeued by the script, the same bits.
source "$(dirname "$0")/../lib.sh"
steps=80
tiny_data data
reference
job=$(submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run")
wait_until 30 "step 3" has_step run 3
scancel --signal=TERM "$job"
ended "$job" COMPLETED
grep -q "SIGTERM after step" run/logs/rank-00000.log || fail "was not told"
(($(restarts_of "$job") == 1)) || fail "requeued $(restarts_of "$job") times"
same_as_reference run
