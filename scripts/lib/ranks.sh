# Shell functions of the scripts that run edt on several ranks of one machine.

# edt_build: the build folder. Its program is made sure of.
edt_build="${EDT_BUILD:-build/release}"
if [[ ! -x "$edt_build/edt" ]]; then
  echo "There is no $edt_build/edt: build it with 'cmake --preset release && cmake --build --preset release'," >&2
  echo "or set EDT_BUILD to the build folder." >&2
  exit 2
fi
edt="$(realpath "$edt_build/edt")"
# The same program with faults that tests ask for (tests/faults/faults.cpp).
# shellcheck disable=SC2034  # tests read it
faulty_edt="$(realpath -m "$edt_build/tests/faults/edt")"

# One thread per rank: the promise of equal bits holds for a fixed number.
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
mpi_flags=(--oversubscribe --bind-to none)
if [[ $EUID -eq 0 ]]; then mpi_flags+=(--allow-run-as-root); fi

# on_ranks N command...
on_ranks() {
  local ranks=$1
  shift
  mpirun "${mpi_flags[@]}" -np "$ranks" "$@" </dev/null  # it would read the standard input of the script
}

# A run small enough to be repeated many times: 16 images a step in 8 micro-batches, both passes,
# loss-second-moment sampler, clipping, moving average. Call with further options; $1 is the data.
tiny_train_options() {
  local data=$1
  echo --data.path="$data" --model.preset=EDT-Ti/2 --model.image-size=128 \
    --model.widths=16,24,32,24,16 --model.heads=2,2,4,2,2 --train.batch=16 \
    --train.micro-batch=2 --train.steps=20 --train.clip=0.5 --train.seed=5 \
    --optimizer.ema-decay=0.9 --run.checkpoint-every=0 --run.tensorboard=off --quiet
}

# tiny_data DIRECTORY
tiny_data() {
  "$edt" data synth --out "$1" --samples 240 --image-size 128 --quiet >/dev/null
}

# tiny_features DATA DIRECTORY: the same set with features of 12 random numbers for each of 16 tokens, called "random".
tiny_features() {
  local header
  printf -v header "{'descr': '<f4', 'fortran_order': False, 'shape': (240, 16, 12), }"
  printf -v header '%-117s\n' "$header"
  {
    printf '\x93NUMPY\x01\x00\x76\x00%s' "$header"
    perl -e 'srand 1; print pack "f<*", map { rand(2) - 1 } 1 .. 240 * 16 * 12'
  } >"$2.npy"
  "$edt" data repack "$1" "$2" --features random="$2.npy" --quiet >/dev/null
}
