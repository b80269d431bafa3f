#!/usr/bin/env bash
# A whole test program, unless the same one passed before over the same files.
# Usage: test-program.sh MARKS PROGRAM [COMMAND...]
#   MARKS: a folder with a mark for each that passed; COMMAND: what runs the program, as qemu-aarch64 -L ROOT does
# Prints one line, and before it what a program that fails has printed. EDT_PROGRAM_SECONDS: how long it may take, 1200.
set -euo pipefail
cd "$(dirname "$0")/../.."
marks=$1 program=$2
shift 2
name=$(basename "$program")
# What tests read of the tree.
read_by_tests=(tests configs slurm docs/compatibility.md ':(exclude)*.cpp' ':(exclude)*.h' ':(exclude)*CMakeLists.txt')
key=$({
  cat "$program" && printf '%s\n' "$@"
  env | grep -E '^(A|T|UB|L)SAN_OPTIONS=|^OMP_NUM_THREADS=' | sort
  git ls-files -s "${read_by_tests[@]}" && git diff HEAD -- "${read_by_tests[@]}"
} | sha256sum)
mark=$marks/${key%% *}
if [[ -e $mark ]]; then
  echo "== $name: passed before, $(cat "$mark") s" && exit 0
fi
begin=$SECONDS status=0
output=$(timeout "${EDT_PROGRAM_SECONDS:-1200}" "$@" "$program" --gtest_brief=1 2>&1 </dev/null) || status=$?
if ((status != 0)); then tail -n 200 <<<"$output"; fi
took=$((SECONDS - begin))
echo "== $name: status $status, $took s"
if ((status == 0)); then mkdir -p "$marks" && echo "$took" >"$mark"; fi
exit "$status"
