#!/usr/bin/env bash
# Links of all Markdown files: the file exists, and where there is an anchor, a heading has it. Folders that docs/layout.md
# names exist, and every page of docs/ is in the index.
# shellcheck disable=SC2016  # backquotes are Markdown here
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
failed=0
complain() { echo "$1" && failed=1; }

# The anchors of a page: headings in small letters, blanks as dashes, without punctuation.
anchors() {
  sed -n '/^```/,/^```/d;s/^##* //p' "$1" | sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' | tr '[:upper:]' '[:lower:]' |
    sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

while IFS= read -r -d '' page; do
  folder=$(dirname "$page")
  while IFS= read -r link; do
    file=${link%%#*} anchor=''
    if [[ $link == *'#'* ]]; then anchor=${link#*#}; fi
    target=$page
    if [[ -n $file ]]; then target=$folder/$file; fi
    if [[ ! -e $target ]]; then
      complain "$page: ($link): there is no $target"
    elif [[ -n $anchor ]] && ! anchors "$target" | grep -qxF "$anchor"; then
      complain "$page: ($link): $target has no heading #$anchor"
    fi
  done < <(sed '/^```/,/^```/d;/^    /d' "$page" | grep -oE '\]\([^)]+\)' | sed 's/^](//;s/)$//' | grep -vE '^(https?|mailto):')
done < <(git ls-files -z '*.md')

while IFS= read -r folder; do
  if [[ ! -e $folder ]]; then complain "docs/layout.md: there is no $folder"; fi
done < <(sed -n 's/^| \(`.*`\) |.*/\1/p' docs/layout.md | grep -oE '^`[a-z0-9_./*-]+`' | tr -d '`' | grep -v '\*')

for page in docs/*.md; do
  name=$(basename "$page")
  if [[ $name != README.md ]] && ! grep -qF "($name" docs/README.md; then complain "docs/README.md does not lead to $name"; fi
done
exit $failed
