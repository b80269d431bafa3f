# Started wrongly, it says so in one line: srun without PMIx, too little shared memory, ranks whose programs or data
# differ; and `edt doctor` on the nodes finds it beforehand.
source "$(dirname "$0")/../lib.sh"
tiny_data data
# one_line WHAT STATUS TEXT COMMAND...: ends with that status; the one line of edt has the text.
one_line() {
  local what=$1 status=$2 text=$3 found=0
  shift 3
  "$@" >out 2>&1 || found=$?
  ((found == status)) || { cat out && fail "$what: status $found, not $status"; }
  (($(grep -c "edt: error" out) == 1)) || { cat out && fail "$what: $(grep -c "edt: error" out) lines"; }
  grep -q "edt: error: .*$text" out || { cat out && fail "$what: not '$text'"; }
}
train() { echo "$edt" train $(options) --run.dir="$work/run"; }
one_line "no PMIx" 2 "srun started 4 processes without PMIx" srun --mpi=none -N2 -n4 $(train)
one_line "PMI-2" 2 "srun --mpi=pmix" srun --mpi=pmi2 -N2 -n4 $(train)
[[ ! -e run ]] || fail "something was written"
srun --mpi=none -N1 -n1 "$edt" train $(options) --run.dir="$work/alone" --train.steps=1 >out 2>&1 ||
  { cat out && fail "one task needs no PMIx"; }

for node in node1 node2; do node-run $node mount -o remount,size=6m /dev/shm; done
one_line "shared memory" 2 "/dev/shm has .* free, 2 ranks on one node need 8.00 MiB" srun -N2 -n4 $(train)
for node in node1 node2; do node-run $node mount -o remount,size=256m /dev/shm; done

# Each node has data of its own under one name.
mkdir local
"$edt" data synth --out other --samples 120 --image-size 128 --quiet >/dev/null
node-run node1 mount --bind "$work/data" "$work/local"
node-run node2 mount --bind "$work/other" "$work/local"
one_line "data differ" 2 "ranks differ: rank 1 .* has " srun -N2 -n2 $(train) --data.path="$work/local"
cat >seeds <<'WRAPPER'
#!/usr/bin/env bash
exec "$@" --train.seed="$SLURM_PROCID"
WRAPPER
chmod +x seeds
one_line "configuration differs" 2 "\[configuration\] ranks differ: .*seed = 1" srun -N2 -n2 ./seeds $(train)
[[ ! -e run ]] || fail "something was written"

# What the doctor says about both nodes.
"$edt" doctor --json . >alone.json || true
grep -q '"job_requeue": true' alone.json || { cat alone.json && fail "the doctor does not see Slurm"; }
srun -N2 -n4 "$edt" doctor . >doctor.out || true
grep -q "node2 .*2 ranks" doctor.out || { cat doctor.out && fail "not both nodes"; }
if grep -q "not one file system" doctor.out; then cat doctor.out && fail "this folder is shared"; fi
srun -N2 -n2 "$edt" doctor "$work/local" >doctor.out && fail "local data passes for shared"
grep -q "FAILS: .*not one file system" doctor.out || { cat doctor.out && fail "local data is not seen"; }
srun -N2 -n4 "$edt" doctor --measure here.ini "$work/alone" >doctor.out || true
grep -q "^node2 .*GFLOP/s .*iB/s .*iB/s .*iB/s" doctor.out || { cat doctor.out && fail "not both nodes are measured"; }
grep -q "^devices = 2$" here.ini || { cat here.ini && fail "not two ranks of a node"; }
