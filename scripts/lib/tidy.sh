#!/usr/bin/env bash
# clang-tidy over one compiled unit, unless the same text passed the same checks before.
# Usage: tidy.sh BUILD UNIT [REF]
#   UNIT is a file of BUILD's compile_commands.json, in a unity build a folder; with REF only where one of its files
#   differs from that commit.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$1 unit=$2 ref=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command=$(jq -r --arg unit "$unit" 'first(.[] | select(.file == $unit)).command' "$build/compile_commands.json")
(cd "$build" && eval "${command% -o *} -MM -MF $work/dependencies '$unit'")
# Of the build folder nothing counts: what is generated there comes from the tree.
sed 's/\\$//' "$work/dependencies" | tr -s ' ' '\n' | sed -n "s#^$top/##p" | grep -v '^build/' | sort -u >"$work/files"
if [[ -n $ref ]] && ! git -C "$top" diff --name-only "$ref" | sort | comm -12 - "$work/files" | grep -q .; then exit 0; fi

key=$({ clang-tidy --version && echo "$command" && cd "$top" && cat .clang-tidy && xargs cat <"$work/files"; } | sha256sum)
passed=$build/passed/${key%% *}
if [[ -e $passed ]]; then exit 0; fi
started=$SECONDS status=0
clang-tidy -p "$build" --quiet "$unit" >"$work/output" 2>&1 || status=$?
grep -vE '^[0-9]+ warnings? (generated|treated)' "$work/output" | sed "s#$top/##" || true
echo "$((SECONDS - started)) s: ${unit#"$top/"}"
if ((status == 0)); then mkdir -p "$build/passed" && touch "$passed"; fi
exit "$status"
