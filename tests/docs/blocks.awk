# The code blocks of a Markdown page as records: "LINE<TAB>MARK", then the lines of the block, then a line "\f".
# A mark is the HTML comment in the line before (an empty line may lie between); blocks without one have none.
# Blocks inside lists have to be fenced.
function begin(line) { print line "\t" mark; inside = 1 }
function finish() { print "\f"; inside = 0; mark = "" }
BEGIN { empty = 1 }
/^ *```/ {
  if (fenced) { finish(); fenced = 0 } else { if (inside) finish(); begin(NR); fenced = 1 }
  next
}
fenced { print; next }
/^[ \t]*$/ { if (inside) print; empty = 1; next }
/^    / && (inside || (empty && !list)) {
  if (!inside) begin(NR)
  print substr($0, 5)
  empty = 0
  next
}
{
  if (inside) finish()
  mark = ""
  if (match($0, /^<!-- .* -->$/)) mark = substr($0, 6, length($0) - 9)
  if ($0 !~ /^ /) list = $0 ~ /^([-*]|[0-9]+\.) /
  empty = /^(#|<!--)/  # what no paragraph goes on from
}
END { if (inside) finish() }
