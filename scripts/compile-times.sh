#!/usr/bin/env bash
# Which files are slow to compile: files that take more processor time than the limit fail the check.
# Usage: scripts/compile-times.sh [--build DIR] [--limit SECONDS] [--all] [FOLDER...]
#   --build  a finished build (build/release); nothing in it changes
#   --limit  processor time of one file, or of the files of a folder that are compiled together (15)
#   --all    every file is compiled again, one at a time. Without, those that took longer than the limit when they were
#            built, as ninja noted it: on a shared machine that says which are worth a second look, but nothing about what
#            came from a compiler cache. How many those were is said.
#   FOLDER   files below these folders only, as core/cpu or tests/data
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/release limit=15 all=no folders=()
while (($# > 0)); do
  case $1 in
    --build | --limit)
      if (($# < 2)); then echo "$1 needs a value" >&2 && exit 2; fi
      case $1 in --build) build=$2 ;; --limit) limit=$2 ;; esac
      shift
      ;;
    --all) all=yes ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    -*) echo "unknown option $1: --build, --limit and --all are known" >&2 && exit 2 ;;
    *)
      if [[ ! -d $1 ]]; then echo "there is no folder $1" >&2 && exit 2; fi
      folders+=("${1%/}/")
      ;;
  esac
  shift
done
if [[ ! $limit =~ ^[0-9]+$ ]]; then echo "--limit is $limit, must be a number of seconds" >&2 && exit 2; fi
if [[ ! -f $build/.ninja_log ]]; then echo "$build has no .ninja_log: build first" >&2 && exit 2; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Milliseconds and name of each object that the build has now, the slowest first.
ninja -C "$build" -t targets all 2>/dev/null | sed -n 's/^\(.*\.o\): .*/\1/p' | sort >"$work/present"
awk '$4 ~ /\.o$/ { took[$4] = $2 - $1 } END { for (file in took) print file "\t" took[file] }' "$build/.ninja_log" | sort |
  join -t $'\t' - "$work/present" | awk -F '\t' -v folders="${folders[*]}" '
    BEGIN { n = split(folders, folder, " ") }
    { keep = n == 0; for (i = 1; i <= n; ++i) keep = keep || index($1, folder[i]) == 1; if (keep) print $2 "\t" $1 }' |
  sort -rn >"$work/built"
if [[ ! -s $work/built ]]; then echo "nothing has been built in $build${folders[*]:+ of ${folders[*]}}" >&2 && exit 2; fi

# One object, compiled into the temporary folder: user and system time in seconds.
cpu_seconds() {
  local command
  command=$(ninja -C "$build" -t commands -s "$1")
  command=${command/ -o "$1"/ -o "$work/object.o"}
  command=${command/ -MF "$1.d"/ -MF "$work/object.d"}
  local TIMEFORMAT='%U %S'
  { time (cd "$build" && CCACHE_DISABLE=1 bash -c "$command" >"$work/output" 2>&1) || return 1; } 2>&1 |
    awk '{ printf "%.1f", $1 + $2 }'
}

failed=0 checked=0
while IFS=$'\t' read -r took object; do
  if [[ $all == no ]] && ((took <= 1000 * limit)); then break; fi
  seconds=$(cpu_seconds "$object") || { echo "$object does not compile:" >&2 && cat "$work/output" >&2 && exit 1; }
  checked=$((checked + 1))
  if awk -v s="$seconds" -v l="$limit" 'BEGIN { exit !(s > l) }'; then
    echo "$object: $seconds s of processor time, the limit is $limit s"
    failed=1
  elif [[ $all == yes ]]; then
    echo "$object: $seconds s"
  fi
done <"$work/built"
echo "$checked of $(wc -l <"$work/built") compiled again"
if [[ $all == no ]]; then
  cached=$(awk '$1 < 700' "$work/built" | wc -l)
  if ((cached > 0)); then echo "$cached took less than 0.7 s when they were built: most likely from a compiler cache, --all measures them"; fi
fi
exit $failed
