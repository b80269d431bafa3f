# A chain of jobs where requeueing is off: each goes on where the one before it saved; when it is done, the rest is
# cancelled. The file `save` makes a checkpoint in between, the file `stop` holds the run until it is removed.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
export EDT=$faulty_edt EDT_FAULT="all phase:optimizer 4 wait $work/save; all phase:optimizer 6 told $work/stop"
mapfile -t jobs < <("$root/slurm/chain.sh" 3 --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" \
  $(options) --run.dir="$work/run")
((${#jobs[@]} == 3)) || fail "${#jobs[@]} jobs"
wait_until "both ranks in step 4" are_at save
touch run/save save.go
wait_until "both ranks in step 6" are_at stop
[[ ! -e run/save ]] || fail "the file save is still there"
scancel --batch --signal=USR1 "${jobs[0]}"
ended "${jobs[0]}" FAILED # with status 3; afterany lets the next one start
ended "${jobs[1]}" COMPLETED
ended "${jobs[2]}" CANCELLED
(($(find run/checkpoints -name 'step-*' | wc -l) == 3)) || fail "checkpoints: $(ls run/checkpoints)"
same_as_reference run

steps=30
touch run/stop
job=$(submit --nodes=2 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run")
ended "$job" COMPLETED
grep -q "stopped by the file" "slurm-$job.out" || fail "no word of the file"
[[ $(step_of run) == 20 ]] || fail "it trained in spite of the file"
