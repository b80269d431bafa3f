# Shell functions for nodes of a job that are network namespaces of this machine. Needs root and iproute2; no ssh, since
# mpirun enters the namespaces itself. Source ranks.sh first.

# nodes_new COUNT RANKS: namespaces node_1, node_2, ..., not joined yet, for RANKS ranks each; nodes_remove removes them.
nodes_new() {
  nodes_count=$1 nodes_ranks=$2
  if [[ $EUID -ne 0 ]]; then
    echo "network namespaces need root" >&2
    exit 2
  fi
  nodes_prefix=edt-$$
  nodes_work=$(mktemp -d)
  local node
  for ((node = 1; node <= nodes_count; ++node)); do
    ip netns add "$nodes_prefix-$node"
    ip -n "$nodes_prefix-$node" link set lo up
    echo "10.77.0.$node slots=$nodes_ranks"
  done >"$nodes_work/hosts"
  # mpirun reaches a "host" through this in place of ssh: its address, then the command.
  cat >"$nodes_work/agent" <<END
#!/bin/sh
node=\${1##*.}
shift
exec ip netns exec $nodes_prefix-\$node unshare --uts sh -c "hostname node-\$node; \$*"
END
  chmod +x "$nodes_work/agent"
}

nodes_remove() {
  local node
  for ((node = 1; node <= nodes_count; ++node)); do ip netns del "$nodes_prefix-$node" 2>/dev/null || true; done
  ip netns del "$nodes_prefix-switch" 2>/dev/null || true
  rm -rf "$nodes_work"
}

# node_address NODE: of its end of a link, which is there.
node_address() {
  ip -n "$nodes_prefix-$1" addr add "10.77.0.$1/24" dev veth0
  ip -n "$nodes_prefix-$1" link set veth0 gso_max_size 14000 gro_max_size 14000 up
}

# nodes_switch: joins all of them by one switch.
nodes_switch() {
  local node switch=$nodes_prefix-switch
  ip netns add "$switch"
  ip -n "$switch" link add bridge0 type bridge
  ip -n "$switch" link set bridge0 up
  for ((node = 1; node <= nodes_count; ++node)); do
    ip link add veth0 netns "$nodes_prefix-$node" type veth peer name "port$node" netns "$switch"
    ip -n "$switch" link set "port$node" master bridge0 gso_max_size 14000 gro_max_size 14000 up
    node_address "$node"
  done
}

# node_rates NODE RATE [OTHER RATE]: what the node sends, and what it sends to node OTHER. Status 1 where the kernel cannot.
node_rates() {
  local tc=(tc -n "$nodes_prefix-$1") class=(burst 32kb cburst 32kb quantum 14000)
  "${tc[@]}" qdisc del dev veth0 root 2>/dev/null || true
  "${tc[@]}" qdisc add dev veth0 root handle 1: htb default 1 &&
    "${tc[@]}" class add dev veth0 parent 1: classid 1:1 htb rate "$2" "${class[@]}" || return 1
  if (($# == 2)); then return; fi
  "${tc[@]}" class add dev veth0 parent 1: classid 1:2 htb rate "$4" "${class[@]}" &&
    "${tc[@]}" filter add dev veth0 parent 1: protocol ip u32 match ip dst "10.77.0.$3/32" flowid 1:2
}

# on_nodes command...: nodes_ranks on each of them, which meet in shared memory.
# shellcheck disable=SC2154  # mpi_flags is that of ranks.sh
on_nodes() {
  ip netns exec "$nodes_prefix-1" unshare --uts sh -c 'hostname node-1; exec "$@"' sh \
    mpirun "${mpi_flags[@]}" --hostfile "$nodes_work/hosts" -np $((nodes_count * nodes_ranks)) \
    --mca plm_rsh_agent "$nodes_work/agent" --mca btl tcp,vader,self --mca btl_tcp_if_include veth0 \
    --mca oob_tcp_if_include veth0 --mca pml ob1 -x OMP_NUM_THREADS -x OMP_WAIT_POLICY "$@" </dev/null
}
