#!/usr/bin/env bash
# Which files are slow to compile: those of a finished build that took longer than the limit there are
# compiled again, one at a time, and fail the check where they take more processor time than that.
# Usage: scripts/compile-times.sh [--build DIR] [--limit SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/release
limit=15
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    --limit) limit=$2; shift 2 ;;
    *) echo "unknown option $1: --build and --limit are known" >&2; exit 2 ;;
  esac
done
[[ -f $build/.ninja_log ]] || { echo "$build has no .ninja_log: build first" >&2; exit 2; }

# Wall time of a shared machine says only which are worth a second look.
mapfile -t slow < <(awk -v limit="$limit" '$4 ~ /\.o$/ { took[$4] = $2 - $1 }
  END { for (file in took) if (took[file] > 1000 * limit) print took[file], file }' "$build/.ninja_log" |
  sort -rn | cut -d' ' -f2)
failed=0
TIMEFORMAT='%U %S'
for object in ${slow[@]+"${slow[@]}"}; do
  command=$(ninja -C "$build" -t commands -s "$object" 2>/dev/null | tail -1)
  [[ -n $command ]] || continue  # of a target that is gone
  seconds=$( { time (cd "$build" && CCACHE_DISABLE=1 bash -c "$command" >/dev/null 2>&1); } 2>&1 |
    awk '{ printf "%.1f", $1 + $2 }')
  if awk -v s="$seconds" -v l="$limit" 'BEGIN { exit !(s > l) }'; then
    echo "$object: $seconds s of processor time, the limit is $limit" >&2
    failed=1
  else
    echo "$object: $seconds s"
  fi
done
exit $failed
