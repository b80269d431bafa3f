#!/usr/bin/env bash
# The end of what each failed test of the last ctest in a build folder has printed: failed-tests.sh BUILD [LINES].
set -euo pipefail
logs=$1/Testing/Temporary lines=${2:-12}
[[ -s $logs/LastTestsFailed.log ]] || exit 0
cut -d: -f2- "$logs/LastTestsFailed.log" | while read -r name; do
  echo "== $name"
  awk -v name="$name" '
    / Testing: / { inside = substr($0, index($0, ": ") + 2) == name; next }
    /^<end of output>/ { inside = 0 }
    inside && /^Output:/ { printing = 1; getline; next }
    !inside { printing = 0 }
    printing' "$logs/LastTest.log" | tail -n "$lines" | cut -c -240
done
