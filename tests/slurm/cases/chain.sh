# A chain of jobs where requeueing is off: each goes on where the one before it saved; when it is done, the rest is
# cancelled. The file `save` makes a checkpoint in between, the file `stop` holds the run until it is removed.
source "$(dirname "$0")/../lib.sh"
steps=80
tiny_data data
reference
mapfile -t jobs < <("$root/slurm/chain.sh" 3 --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" \
  $(options) --run.dir="$work/run")
((${#jobs[@]} == 3)) || fail "${#jobs[@]} jobs"
wait_until 30 "step 3" has_step run 3
touch run/save
is_gone() { [[ ! -e $1 ]]; }
wait_until 10 "the file save is gone" is_gone run/save
scancel --batch --signal=USR1 "${jobs[0]}"
ended "${jobs[0]}" FAILED # with status 3; afterany lets the next one start
ended "${jobs[1]}" COMPLETED
ended "${jobs[2]}" CANCELLED
(($(find run/checkpoints -name 'step-*' | wc -l) == 3)) || fail "checkpoints: $(ls run/checkpoints)"
same_as_reference run

steps=90
touch run/stop
job=$(submit --nodes=2 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run")
ended "$job" COMPLETED
grep -q "stopped by the file" "slurm-$job.out" || fail "no word of the file"
[[ $(step_of run) == 80 ]] || fail "it trained in spite of the file"
