# The recipe of every batch script: start the ranks, hand on signals, and see to it that the job ends in the right
# way. docs/slurm.md says why each part is as it is.

# Slurm warns the batch shell alone (--signal=B:USR1@...), which tells the launcher; srun and mpirun pass USR1 to each of
# their ranks, once. Not TERM: mpirun would take that as an order to kill them. A shell handles signals only between
# commands, so it waits for the launcher in `wait`.
edt_launcher_pid='' edt_notice='' edt_interrupted=''
edt_forward() {
  edt_notice=1 edt_interrupted=1
  if [[ -n $edt_launcher_pid ]]; then kill -s USR1 "$edt_launcher_pid" 2>/dev/null || true; fi
}
trap edt_forward USR1 TERM

# edt_ranks COMMAND...: the command on all tasks of the job; its status is the launcher's.
edt_ranks() {
  local start tasks=${SLURM_NTASKS_PER_NODE:-1}
  # srun does not take --cpus-per-task over from sbatch; without one, a rank gets its share of the node.
  local cores=${SLURM_CPUS_PER_TASK:-$((SLURM_CPUS_ON_NODE / ${tasks%%[^0-9]*}))}
  if [[ $EDT_LAUNCHER == srun ]]; then
    start=(srun --kill-on-bad-exit=1 --cpus-per-task="$((cores > 0 ? cores : 1))" "${EDT_SRUN_OPTIONS[@]}")
  else
    start=(mpirun "${EDT_MPIRUN_OPTIONS[@]}")
    if ((cores > 1)); then start+=(--map-by "slot:PE=$cores"); fi
  fi
  local status again
  [[ -z $edt_notice ]] || return 3  # told to stop before there was anything to stop
  "${start[@]}" "$@" &
  edt_launcher_pid=$!
  if [[ -n $edt_notice ]]; then edt_forward; fi
  edt_interrupted=
  wait "$edt_launcher_pid" && status=0 || status=$?
  while [[ -n $edt_interrupted ]]; do  # by a signal to this shell, not by the end of the launcher
    edt_interrupted=
    wait "$edt_launcher_pid" && again=0 || again=$?
    ((again == 127)) || status=$again  # 127: it had ended before
  done
  edt_launcher_pid=
  return "$status"
}

edt_say() { echo "$(date +%FT%T) job ${SLURM_JOB_ID}: $*"; }

# RUNNING, or what Slurm has decided about the job meanwhile: CANCELLED, TIMEOUT, PENDING (requeued), ...
edt_job_state() {
  local line
  line=$(scontrol show job -o "$SLURM_JOB_ID" 2>/dev/null) || { echo UNKNOWN && return; }
  [[ $line =~ \ JobState=([A-Z_]+) ]] && echo "${BASH_REMATCH[1]}"
}

# Ends this job so that it starts again, if it is this script's turn to say so.
edt_requeue() {
  local status=$1 state
  state=$(edt_job_state)
  if [[ $state != RUNNING && $state != UNKNOWN ]]; then
    edt_say "ends with status $status; Slurm has it as $state"
    exit "$status"
  fi
  case $EDT_REQUEUE in
    exit) exit "$EDT_REQUEUE_EXIT" ;;
    none) exit "$status" ;;
  esac
  # The controller may be out of reach for a while; Slurm ends this script once it has requeued the job.
  local try
  for ((try = 0; try < 20; ++try)); do
    if scontrol requeue "$SLURM_JOB_ID"; then
      sleep 120 &
      wait $!
      break
    fi
    sleep 15 &
    wait $!
  done
  exit "$status"
}

# True where every node of the job still starts processes.
edt_nodes_answer() {
  timeout 60 srun --overlap --mpi=none --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
    --ntasks-per-node=1 --cpus-per-task=1 true 2>/dev/null
}

# Ends this job for good, and the jobs of its chain that wait for it.
edt_end() {
  edt_say "$2, status $1"
  if [[ -n ${EDT_CHAIN:-} ]]; then scancel --name="$EDT_CHAIN" --state=PENDING; fi
  exit "$1"
}

# edt_count_crash RUN NEWEST: counts crashes of RUN in a row without a checkpoint newer than NEWEST; false when there
# were too many.
edt_newest_checkpoint() { { find "$1/checkpoints" -maxdepth 1 -name 'step-*' 2>/dev/null || true; } | sort | tail -n 1; }
edt_count_crash() {
  local run=$1 before=$2 count=0
  [[ -d $run ]] || return 1
  if [[ $(edt_newest_checkpoint "$run") == "$before" ]]; then count=$(cat "$run/crashes" 2>/dev/null || echo 0); fi
  echo $((count + 1)) >"$run/crashes"
  edt_say "crash $((count + 1)) without a new checkpoint, at most $EDT_MAX_CRASHES"
  ((count + 1 < EDT_MAX_CRASHES))
}

# The value of --run.dir among the arguments, the last one where there are several.
edt_run_directory() {
  local found=
  while (($#)); do
    case $1 in
      --run.dir=*) found=${1#*=} ;;
      --run.dir) found=${2:-} ;;
    esac
    shift
  done
  echo "$found"
}

# edt_use_nodes N: gives the other nodes of this job back.
edt_use_nodes() {
  ((SLURM_JOB_NUM_NODES == $1)) && return
  scontrol update JobId="$SLURM_JOB_ID" NumNodes="$1"
  local resize="slurm_job_${SLURM_JOB_ID}_resize"  # written by scontrol, in the present folder
  # shellcheck source=/dev/null  # Slurm writes it
  source "./$resize.sh"
  rm -f "./$resize.sh" "./$resize.csh"
}

# edt_has_ended RUN GENERATION: whether a start after that generation has said how it ended. Each takes a generation
# first and writes its outcome last; until then that of an earlier start is there.
edt_has_ended() {
  [[ $(cat "$1/generation" 2>/dev/null || true) != "$2" && $1/outcome.json -nt $1/generation ]]
}

# edt_train OPTIONS...: trains, and ends this job. Exit status of edt: 0 done; 1 failed; 2 wrong usage or input; 3
# saved on request, go on; 4 stopped for good by the file `stop`; 5 a rank was lost or stalled, go on.
# Anything else is the launcher's, for ranks that were killed or nodes that are gone.
edt_train() {
  local run newest generation status try
  run=$(edt_run_directory "$@")
  if [[ -z $run ]]; then
    echo "give --run.dir on the command line: edt would have nowhere to go on from" >&2
    exit 2
  fi
  newest=$(edt_newest_checkpoint "$run")
  edt_say "start ${SLURM_RESTART_COUNT:-0} on $SLURM_JOB_NODELIST"
  for ((try = 0; try < 3; ++try)); do
    generation=$(cat "$run/generation" 2>/dev/null || true)
    edt_ranks "$EDT" train "$@" && status=0 || status=$?
    # Ranks that were never started (srun has status 0 or 1 then): what an earlier step left on a node goes in time.
    if ((status > 1)) || [[ $(cat "$run/generation" 2>/dev/null || true) != "$generation" ]]; then break; fi
    edt_say "no rank was started, status $status"
    sleep 10 &
    wait $! || true
  done
  # Nor does status 0 of a launcher mean that the run has come to its end: the run says so itself.
  if ((status == 0)) && ! edt_has_ended "$run" "$generation"; then status=255; fi
  case $status in
    0) edt_end 0 "done" ;;
    1) # edt's own verdict, unless a node is gone: srun has the same status when it cannot start a rank.
      if edt_nodes_answer; then edt_end 1 "failed"; fi
      ;;
    2) edt_end 2 "wrong usage or input" ;;
    3) edt_say "saved" && edt_requeue 3 ;;
    4) edt_end 0 "stopped by the file $run/stop" ;;
  esac
  edt_say "broken off, status $status"
  edt_count_crash "$run" "$newest" || edt_end "$status" "given up"
  # Not before Slurm knows of a dead node would it call this job anything but COMPLETED or FAILED: so the job is put
  # back by name, and the script does not end before that.
  edt_requeue "$status"
}

