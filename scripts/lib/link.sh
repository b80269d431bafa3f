# Shell functions for two nodes joined by a link of limited rate (tc tbf). Needs root and iproute2. Source ranks.sh first.
source "$(dirname "${BASH_SOURCE[0]}")/nodes.sh"

# link_up: makes the nodes; link_down removes them. link_ranks: ranks of each node, 1 where it is not set.
link_up() {
  nodes_new 2 "${link_ranks:-1}"
  # shellcheck disable=SC2034  # scripts read it
  link_work=$nodes_work
  ip link add veth0 netns "$nodes_prefix-1" type veth peer name veth0 netns "$nodes_prefix-2"
  node_address 1
  node_address 2
}

link_down() { nodes_remove; }

# link_limit RATE: of both directions. A larger burst would let through at once what a step sends after a pause; a
# smaller one than what the network layer sends at once has the kernel cut it into packets, on the ranks' cores.
link_limit() {
  local node
  for node in 1 2; do
    tc -n "$nodes_prefix-$node" qdisc replace dev veth0 root tbf rate "$1" burst 32kb latency 50ms
  done
}

# on_link command...: link_ranks on each side.
on_link() { on_nodes "$@"; }
