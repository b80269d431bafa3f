#!/usr/bin/env bash
# Which folder of the program includes which: arrows go one way, there is no circle, and what is included is there.
# Usage: scripts/includes.sh [--list]
#   --list  prints FOLDER -> FOLDERS instead of checking
# Exit status 1 where an arrow is wrong, with the include that makes it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
case ${1:-} in
  '' | --list) ;;
  *) echo "unknown option '$1'; known: --list" >&2 && exit 2 ;;
esac

# FOLDER INCLUDED-FOLDER FILE: of all but main.cpp, which only calls the commands.
# shellcheck disable=SC2016  # awk expands them
arrows() {
  git ls-files core parallel model data launcher | grep -E '\.(h|cpp|cu|cuh)$' | grep -v '^launcher/main.cpp$' |
    xargs awk -F'"' '/^#include "(core|parallel|model|data|launcher)\// {
      from = FILENAME; to = $2; sub(/\/[^\/]*$/, "", from); sub(/\/[^\/]*$/, "", to)
      sub(/\/picture$/, "", from); sub(/\/picture$/, "", to)  # the same room: ops of pictures
      if (from != to) print from, to, FILENAME }' | sort -u
}

if [[ ${1:-} == --list ]]; then
  arrows | awk '!seen[$1, $2]++ { to[$1] = to[$1] " " $2 } END { for (f in to) print f " ->" to[f] }' | sort
  exit
fi

# floors that a folder may not look up to, and rooms that measure
wrong=$(arrows | awk '
  function floor_of(f) { sub(/\/.*/, "", f); return f }
  BEGIN { may["core"] = " core "; may["data"] = " core data "; may["parallel"] = " core parallel "
          may["model"] = " core parallel model "; may["launcher"] = " core parallel model data launcher " }
  index(may[floor_of($1)], " " floor_of($2) " ") == 0 { print $3 " includes " $2 }
  $2 == "launcher/bench" && $1 ~ /^launcher\/(train|plan|recipe|sample)$/ { print $3 " includes " $2 }')
missing=$(git ls-files core parallel model data launcher tests | grep -E '\.(h|cpp|cu|cuh)$' |
  xargs grep -Ho '^#include "\(core\|parallel\|model\|data\|launcher\|tests\)/[^"]*"' | tr -d '"' | sed 's/:#include /\t/' |
  while IFS=$'\t' read -r from to; do [[ -e $to || -e $to.in || $to == core/plugin/build_identity.h ]] || echo "$from includes $to"; done)
circle=$(arrows | cut -d' ' -f1,2 | tsort 2>&1 >/dev/null | sed 's/^tsort: //')
if [[ -n $wrong || -n $circle || -n $missing ]]; then
  [[ -n $wrong ]] && printf 'wrong way:\n%s\n' "$wrong"
  [[ -n $missing ]] && printf 'not there:\n%s\n' "$missing"
  [[ -n $circle ]] && printf 'a circle:\n%s\n' "$circle"
  exit 1
fi
echo "includes go one way"
