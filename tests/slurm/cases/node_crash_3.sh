# The same on three nodes with two ranks each: gradients are added in three groups, and the weights are those of one rank.
# shellcheck disable=SC2034  # what is sourced reads them
nodes=3 each=2 batch=24
source "$(dirname "$0")/node_crash.sh"
