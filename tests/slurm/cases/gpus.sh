# The script for GPUs, on nodes whose GPUs exist for Slurm alone: a rank for each GPU, which sees those of its node or
# its own one, as is asked for; and a run that finds none ends in one line and is not started again.
source "$(dirname "$0")/../lib.sh"
cat >trainer <<'TRAINER'
#!/usr/bin/env bash
# In place of edt: notes what the rank was given.
run=${*: -1}
mkdir -p "$run"
echo "$SLURM_JOB_ID" >"$run/generation"
echo "$(hostname) sees ${CUDA_VISIBLE_DEVICES:-none}: $*" >"$run/rank-$SLURM_PROCID"
sleep 0.5
touch "$run/outcome.json"
TRAINER
chmod +x trainer
# ran RUN RANK NODE GPUS
ran() {
  local expected="$3 sees $4: train --run.device=cuda --parallel.zero=2 --run.dir $work/$1"
  [[ $(cat "$1/rank-$2") == "$expected" ]] || fail "$1: rank $2: '$(cat "$1/rank-$2")', not '$expected'"
}
on_gpus() { # RUN OPTIONS OF SBATCH...
  local run=$1
  shift
  EDT="$work/trainer" submit --nodes=2 --ntasks-per-node=2 "$@" "$root/slurm/gpus.sbatch" --parallel.zero=2 \
    --run.dir "$work/$run"
}

job=$(on_gpus all --gpus-per-node=2)
ended "$job" COMPLETED
for rank in 0 1; do ran all $rank node1 0,1; done
for rank in 2 3; do ran all $rank node2 0,1; done
job=$(on_gpus own --gpus-per-node=2 --gpus-per-task=1)
ended "$job" COMPLETED
for rank in 0 1 2 3; do ran own $rank node$((rank / 2 + 1)) $((rank % 2)); done

if [[ -e /dev/nvidiactl ]]; then exit 0; fi
tiny_data data
job=$(submit --nodes=2 --gpus-per-node=2 --ntasks-per-node=2 "$root/slurm/gpus.sbatch" $(options) --run.dir="$work/none")
ended "$job" FAILED
(($(restarts_of "$job") == 0)) || fail "was started again"
grep -q "wrong usage or input, status 2" "slurm-$job.out" || fail "another end"
(($(grep -c "edt: error: .*\[device\] " "slurm-$job.out") == 1)) || fail "not one line"
