#!/usr/bin/env bash
# What a change has to pass, in parts that can be called alone.
# Usage: scripts/check.sh [PART...] [--budget MINUTES] [--changed REF] [--minutes N]
#   quick (default)  format, scripts, links
#   all              every part, the cheap ones first
#   format      clang-format over the tree
#   scripts     shellcheck over all shell scripts
#   links       links and anchors of the documentation, folders named in docs/layout.md
#   docs        the command blocks of the documentation (ctest -L docs)
#   tidy        clang-tidy; with --changed REF over what differs from REF only
#   nocuda      a build without CUDA that says so
#   clang       the program and the unit tests with clang, warnings as errors
#   asan        unit tests under the address and undefined-behaviour sanitizers
#   tsan        what has threads, under the thread sanitizer
#   fuzz        the fuzz targets under sanitizers for --minutes N (5) together
#   arm64       a cross build; unit tests under qemu-user
#   lintian     the Debian packages: lintian, and an empty root in which they are installed and run; as root
# --budget is the time for all parts together: a part that is not done by then fails. Each part's output is in
# build/check/PART.log. Needs scripts/install-dependencies.sh --checks. Exit status 1 when a part failed.
# shellcheck disable=SC2317  # parts are called by name
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

quick=(format scripts links)
all=(format scripts links docs tidy nocuda clang asan tsan fuzz arm64 lintian)
parts=() budget=600 changed=${EDT_CHECK_CHANGED:-} minutes=${EDT_CHECK_MINUTES:-5}
while (($# > 0)); do
  case $1 in
    --budget | --changed | --minutes)
      if (($# < 2)); then echo "$1 needs a value" >&2 && exit 2; fi
      case $1 in --budget) budget=$2 ;; --changed) changed=$2 ;; --minutes) minutes=$2 ;; esac
      shift
      ;;
    quick) parts+=("${quick[@]}") ;;
    all) parts+=("${all[@]}") ;;
    -h | --help) sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    *)
      if [[ " ${all[*]} " != *" $1 "* ]]; then
        echo "unknown part or option '$1'; known: quick all ${all[*]} --budget --changed --minutes" >&2
        exit 2
      fi
      parts+=("$1")
      ;;
  esac
  shift
done
if ((${#parts[@]} == 0)); then parts=("${quick[@]}"); fi
export EDT_CHECK_CHANGED=$changed EDT_CHECK_MINUTES=$minutes OMP_WAIT_POLICY=passive
jobs=${JOBS:-$(nproc)}
export jobs

# need PROGRAM...: fails by name where one is missing.
need() {
  local program
  for program in "$@"; do
    if ! command -v "$program" >/dev/null; then
      echo "$program is missing: scripts/install-dependencies.sh --checks" && return 1
    fi
  done
}

# build FOLDER [cmake option...] [-- target...]: nothing but errors and warnings is printed.
build() {
  local folder=build/$1 options=()
  shift
  while (($# > 0)) && [[ $1 != -- ]]; do options+=("$1") && shift; done
  if (($# > 0)); then shift; fi
  cmake -S . -B "$folder" -G Ninja "${options[@]}" >"$folder.configure.log" 2>&1 ||
    { tail -n 30 "$folder.configure.log" && return 1; }
  cmake --build "$folder" -j "$jobs" ${1:+--target "$@"} 2>&1 | { grep -vE '^\[[0-9]+/[0-9]+\] [^:]*$' || true; }
  return "${PIPESTATUS[0]}"
}

# The unit tests that neither take long nor start other programs.
unit_tests() {
  ctest --test-dir "build/$1" -L unit -LE 'slow|emulated|mpi' -j "$jobs" --no-tests=error --output-on-failure "${@:2}" |
    tail -n 40
  return "${PIPESTATUS[0]}"
}

part_format() {
  need clang-format || return 1
  git ls-files -z '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -0 clang-format --dry-run --Werror
}

shell_scripts() {
  git ls-files -z '*.sh' '*.sbatch'
  git grep -lIzE '^#!(/usr/bin/env bash|/bin/(ba)?sh)' -- ':!*.sh' ':!*.sbatch'
}
part_scripts() {
  need shellcheck || return 1
  shell_scripts | sort -zu | xargs -0 shellcheck -x --severity=style
}

part_links() { scripts/lib/check-links.sh; }

part_docs() {
  build release -- edt &&
    ctest --test-dir build/release -L docs -j "$jobs" --no-tests=error --output-on-failure
}

# Each file alone: what a unity build would hide is seen.
part_tidy() {
  need clang-tidy clang++ || return 1
  cmake -S . -B build/tidy -G Ninja -DEDT_UNITY=OFF -DEDT_CUDA=OFF -DEDT_TESTS=OFF >build/tidy.configure.log 2>&1 ||
    { tail -n 30 build/tidy.configure.log && return 1; }
  local files
  files=$(git ls-files 'core/*.cpp' 'parallel/*.cpp' 'model/*.cpp' 'data/*.cpp' 'launcher/*.cpp')
  if [[ -n $changed ]]; then files=$(comm -12 <(sort <<<"$files") <(git diff --name-only "$changed" -- | sort)); fi
  if [[ -z $files ]]; then echo "no file differs from $changed" && return 0; fi
  # Folders that are not part of this build (GPU kernels without CUDA) have no command to go by.
  files=$(while read -r file; do
    if grep -q "\"file\": \".*/$file\"" build/tidy/compile_commands.json; then echo "$file"; fi
  done <<<"$files")
  echo "$(wc -l <<<"$files") files"
  xargs -P "$jobs" -n 1 clang-tidy -p build/tidy --quiet <<<"$files" 2> >(grep -v 'warnings generated' >&2)
}

part_nocuda() {
  build nocuda -DEDT_CUDA=OFF -DEDT_TESTS=OFF -DCMAKE_BUILD_TYPE=Release -- edt || return 1
  build/nocuda/edt --version | grep -i 'cuda.*none' || { echo "edt --version does not say that there is no CUDA" && return 1; }
}

part_clang() {
  need clang++ || return 1
  build clang -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release -DEDT_CUDA=OFF \
    -DEDT_WERROR=ON && unit_tests clang
}

sanitized() { build "$1" -DEDT_SANITIZE="$2" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEDT_CUDA=OFF "${@:3}"; }

part_asan() {
  sanitized asan 'address;undefined' || return 1
  ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 unit_tests asan
}

# libgomp is not instrumented: with one thread each, only threads of our own are looked at.
threaded=(health_test checkpoint_test thread_ranks_test tensor_parallel_test zero_test data_test run_directory_test
  autograd_test)
part_tsan() {
  sanitized tsan thread -- "${threaded[@]}" || return 1
  local program target status=0
  for target in "${threaded[@]}"; do
    program=$(find build/tsan/tests -type f -name "$target" -perm -u+x)
    echo "== $target"
    OMP_NUM_THREADS=1 TSAN_OPTIONS=halt_on_error=0:exitcode=66 "$program" --gtest_brief=1 \
      --gtest_filter="-*Mpi*" || status=1
  done
  return "$status"
}

# Turn and turn about, each time with other mutations.
part_fuzz() {
  sanitized asan 'address;undefined' -- fuzz_npy fuzz_npz fuzz_safetensors fuzz_shard || return 1
  local end=$((SECONDS + 60 * minutes)) first=0 target
  while ((SECONDS < end)); do
    for target in npy npz safetensors shard; do
      ASAN_OPTIONS=max_allocation_size_mb=1024:allocator_may_return_null=1 timeout 300 \
        "build/asan/tests/fuzz/fuzz_$target" 2000 "$first" || { echo "fuzz_$target fails, see the iteration above" && return 1; }
    done
    first=$((first + 2000))
  done
  echo "$first inputs for each target"
}

part_arm64() {
  need qemu-aarch64 aarch64-linux-gnu-g++ || return 1
  scripts/lib/arm64-root.sh build/arm64-root || return 1
  build arm64 -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/toolchains/aarch64-linux-gnu.cmake" -DEDT_ARM64_ROOT="$PWD/build/arm64-root" \
    -DCMAKE_BUILD_TYPE=Release -DEDT_CUDA=OFF || return 1
  qemu-aarch64 -L build/arm64-root build/arm64/edt --version || return 1
  unit_tests arm64
}

part_lintian() {
  need lintian debootstrap || return 1
  build release -DCMAKE_BUILD_TYPE=Release && EDT_BUILD=build/release scripts/package-check.sh
}

run_part() { # in a process of its own, so that a time-out ends all of it
  local part=$1
  "part_$part"
}

if [[ ${EDT_CHECK_PART:-} ]]; then
  run_part "$EDT_CHECK_PART"
  exit
fi

mkdir -p build/check
begin=$SECONDS failed=0 table=''
for part in "${parts[@]}"; do
  left=$((60 * budget - (SECONDS - begin)))
  started=$SECONDS result=ok
  echo "== $part"
  if ((left <= 0)); then
    result="not run: the budget of $budget min is used up"
  else
    status=0
    EDT_CHECK_PART=$part timeout --kill-after=10 "$left" "$0" >"build/check/$part.log" 2>&1 || status=$?
    if ((status == 124)); then result="not done within the budget of $budget min"; fi
    if ((status != 0 && status != 124)); then result="failed"; fi
  fi
  if [[ $result != ok ]]; then
    failed=1
    tail -n 25 "build/check/$part.log" 2>/dev/null
  fi
  table+=$(printf '%-11s %6d s  %s' "$part" $((SECONDS - started)) "$result")$'\n'
done
printf '\n%s' "$table"
exit $failed
