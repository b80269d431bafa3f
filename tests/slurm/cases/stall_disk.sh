# The disk of a node hangs under a checkpoint: named, the job ends though the disk does not come back, is requeued, and
# goes on with the disk as it was, with the same bits.
source "$(dirname "$0")/../lib.sh"
steps=12
skip() { echo "skipped: $*" && trap - EXIT && exit 77; }
[[ -e /dev/fuse ]] || skip "there is no /dev/fuse"
tiny_data data
reference
hold_at_samples 30
job=$(submit --nodes=2 --ntasks-per-node=1 --time=10 "$root/slurm/nodes.sbatch" $(options) --run.dir="$work/run" \
  --run.checkpoint-every=4 "${sampling[@]}")
# Phase, collective and its number stand in the line, in the order that fits.
names_place() { grep -E 'rank 1 of 2 on node2 stalls: .*phase "[a-z]*"' "$1" | grep -qE '[a-z_]+ #[0-9]+ "'; }
wait_until "both ranks at step 6" are_at samples
wait_until "the checkpoint of step 4" is_saved 4
node-run node2 "$HANGING_FS" "$work/run/checkpoints" >hanging.log 2>&1 &
wait_until "the hanging file system" test -s hanging.log
if grep -qE 'not permitted|No such device' hanging.log; then skip "this kernel mounts no FUSE here"; fi
grep -q mounted hanging.log || fail "$(cat hanging.log)"
let_go
wait_until "the diagnosis" names_place "slurm-$job.out"
no_ranks() { ! node-run "$1" pgrep -x edt >/dev/null; }
wait_until "the rank on the hanging disk ends" no_ranks node2
node-run node2 pkill -KILL -x hanging_fs
node-run node2 umount -l "$work/run/checkpoints"
ended "$job" COMPLETED
same_as_reference run
