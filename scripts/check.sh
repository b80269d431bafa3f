#!/usr/bin/env bash
# What a change has to pass, in parts that can be called alone.
# Usage: scripts/check.sh [PART...] [--budget MINUTES] [--changed REF] [--minutes N]
#   quick (default)  format, scripts, links
#   all              every part, the cheap ones first
#   format      clang-format over the tree
#   scripts     shellcheck over all shell scripts
#   links       links and anchors of the documentation, folders named in docs/layout.md
#   docs        the command blocks of the documentation (ctest -L docs)
#   times       no file takes more than 15 s of processor time to compile
#   tidy        clang-tidy, over units that changed since they last passed; with --changed REF those that differ from REF
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
all=(format scripts links docs times tidy nocuda clang asan tsan fuzz arm64 lintian)
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
  cmake --build "$folder" -j "$jobs" ${1:+--target "$@"} -- -k 0 2>&1 | { grep -vE '^\[[0-9]+/[0-9]+\] [^:]*$' || true; }
  return "${PIPESTATUS[0]}"
}

# run_programs FOLDER [COMMAND...]: the test programs named on standard input, each whole, as many at once as there are
# jobs; by the command where one is given. Those that passed as they are, over the files that are there, are not run again.
run_programs() { xargs -P "$jobs" -I{} scripts/lib/test-program.sh "build/$1/passed" {} "${@:2}"; }

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

part_times() { build release && scripts/compile-times.sh; }

# A folder is one unit, as in a unity build: two thirds of the time of a single file is its headers. Kernels are looked at
# for one instruction set. Units that passed and are as they were are not looked at again.
part_tidy() {
  need clang-tidy clang++ jq || return 1
  build tidy --preset clang -DEDT_CUDA=AUTO -DCMAKE_CUDA_HOST_COMPILER="$(command -v g++)" \
    -DCMAKE_CXX_FLAGS=-DHWY_COMPILE_ONLY_STATIC -- edt_write_build_identity || return 1
  # The emulated GPU compiles some files once more, for itself.
  jq -r '.[].file | select(endswith(".cu") | not)' build/tidy/compile_commands.json | sort -u >build/tidy/units
  grep '/Unity/' build/tidy/units | xargs sed -n 's/^#include "\(.*\)"$/\1/p' | sort | comm -13 - build/tidy/units |
    xargs -P "$jobs" -I{} scripts/lib/tidy.sh "$PWD/build/tidy" {} "$changed"
}

part_nocuda() {
  build nocuda -DEDT_CUDA=OFF -DEDT_TESTS=OFF -DCMAKE_BUILD_TYPE=Release -- edt || return 1
  build/nocuda/edt --version | grep -i 'cuda.*none' || { echo "edt --version does not say that there is no CUDA" && return 1; }
}

part_clang() {
  need clang++ || return 1
  build clang --preset clang -- edt edt_tests_unit && run_programs clang <build/clang/tests/unit.txt
}

part_asan() {
  build asan --preset asan -- edt_tests_unit || return 1
  # Readers try to allocate what damaged files ask for; what a lost mapping does to a program is tested.
  ASAN_OPTIONS=allocator_may_return_null=1:handle_sigbus=0:detect_stack_use_after_return=1 \
    LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.supp:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1 \
    run_programs asan <build/asan/tests/unit.txt
}

# libgomp is not instrumented: with one thread each, only threads of our own are looked at.
threaded=(health_test checkpoint_test thread_ranks_test tensor_parallel_test zero_test data_test run_directory_test)
part_tsan() {
  build tsan --preset tsan -- "${threaded[@]}" || return 1
  local program
  for program in "${threaded[@]}"; do find build/tsan/tests -type f -name "$program" -perm -u+x; done |
    OMP_NUM_THREADS=1 TSAN_OPTIONS=exitcode=66:suppressions=$PWD/tests/support/tsan.supp run_programs tsan
}

# Turn and turn about, each time with other mutations.
part_fuzz() {
  build asan --preset asan -- edt_tests_fuzz || return 1
  local end=$((SECONDS + 60 * minutes)) first=0 program
  while ((SECONDS < end)); do
    while read -r program; do
      ASAN_OPTIONS=max_allocation_size_mb=1024:allocator_may_return_null=1 timeout 300 "$program" 2000 "$first" </dev/null ||
        { echo "${program##*/} fails, see the iteration above" && return 1; }
    done <build/asan/tests/fuzz.txt
    first=$((first + 2000))
  done
  echo "$first inputs for each of $(wc -l <build/asan/tests/fuzz.txt) targets"
}

part_arm64() {
  need qemu-aarch64 aarch64-linux-gnu-g++ || return 1
  scripts/lib/arm64-root.sh build/arm64-root || return 1
  build arm64 --preset arm64 -- edt edt_tests_unit || return 1
  qemu-aarch64 -L build/arm64-root build/arm64/edt --version || return 1
  # Emulated, the tests of training alone take an hour of a processor.
  EDT_PROGRAM_SECONDS=5400 run_programs arm64 qemu-aarch64 -L build/arm64-root <build/arm64/tests/unit.txt
}

part_lintian() {
  need lintian debootstrap || return 1
  build release -DCMAKE_BUILD_TYPE=Release -- edt edt_help_files && EDT_BUILD=build/release scripts/package-check.sh
}

run_part() { # in a process of its own, so that a time-out ends all of it
  local part=$1
  "part_$part"
}

if [[ ${EDT_CHECK_PART:-} ]]; then
  run_part "$EDT_CHECK_PART"
  exit
fi

# Sets cpu to the processor time of all parts until now: that of children and theirs is in the second line of `times`.
read_cpu() {
  times >build/check/times  # not from a subshell: it has other children
  cpu=$(awk -F '[ms ]' 'NR == 2 { printf "%d", 60 * $1 + $2 + 60 * $4 + $5 }' build/check/times)
}

mkdir -p build/check
begin=$SECONDS failed=0 table=''
for part in "${parts[@]}"; do
  left=$((60 * budget - (SECONDS - begin)))
  read_cpu
  started=$SECONDS cpu_before=$cpu result=ok
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
  read_cpu
  table+=$(printf '%-11s %6d s %8d s  %s' "$part" $((SECONDS - started)) $((cpu - cpu_before)) "$result")$'\n'
done
printf '\n%-11s %8s %10s\n%s' part time 'CPU time' "$table"
exit $failed
