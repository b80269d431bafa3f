# A script that edt slurm writes from a run's configuration and submits: refused with the reason where it does not fit.
source "$(dirname "$0")/../lib.sh"
tiny_data data
reference
refused() { # TEXT OPTIONS...
  local text=$1
  shift
  if "$edt" slurm $(options) --run.dir="$work/run" "$@" >out 2>&1; then cat out && fail "not refused: $*"; fi
  grep -q "edt: error: .*$text" out || { cat out && fail "not '$text'"; }
}
refused "data ranks\|micro-batches" --nodes 16
refused "run.device is not cuda" --nodes 2 --gpus-per-node 8
refused "would never train" --nodes 2 --time 1
refused "each of the 2 ranks on a node with --mem 60M has 30.0 MiB" --nodes 2 --ranks-per-node 2 --mem 60M
# What Slurm says of its nodes: 4000 MiB.
refused "needs 4.* GiB on each rank, the largest node has 3.91 GiB; .* would fit" --nodes 2 --train.batch 16384 \
  --train.micro-batch 8192
[[ ! -e run ]] || fail "something was written"
"$edt" slurm --nodes 2 --time 10 --warn 60 --dry-run $(options) --run.dir=run >script
grep -q '#SBATCH --nodes=2' script || fail "no directives"
[[ ! -e run ]] || fail "a dry run wrote something"
job=$("$edt" slurm --nodes 2 --time 10 --warn 60 --submit $(options) --run.dir=run | sed -n 's/^Submitted batch job //p')
ended "$job" COMPLETED
grep -q "2 ranks" run/logs/rank-00000.log || fail "not on two nodes"
same_as_reference run
