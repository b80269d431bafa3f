# A site that sends SIGTERM to the ranks and nothing else: saved, requeued by the script, the same bits.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
hold_until_told
job=$(submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run")
wait_until "both ranks in step 4" are_held
scancel --signal=TERM "$job"
ended "$job" COMPLETED
grep -q "SIGTERM after step" run/logs/rank-00000.log || fail "was not told"
(($(restarts_of "$job") == 1)) || fail "requeued $(restarts_of "$job") times"
same_as_reference run
