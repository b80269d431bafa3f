# Shell functions for two nodes, network namespaces joined by a link of limited rate (tc tbf). Needs root
# and iproute2; no ssh, since mpirun enters the other namespace itself. Source ranks.sh first.

# link_up: makes the namespaces; link_down removes them. link_ranks: ranks of each node, 1 where it is not set.
link_up() {
  link_ranks=${link_ranks:-1}
  if [[ $EUID -ne 0 ]]; then
    echo "network namespaces need root" >&2
    exit 2
  fi
  link_a=edt-a-$$ link_b=edt-b-$$
  link_work=$(mktemp -d)
  ip netns add "$link_a"
  ip netns add "$link_b"
  ip link add veth0 netns "$link_a" type veth peer name veth0 netns "$link_b"
  ip -n "$link_a" addr add 10.77.0.1/24 dev veth0
  ip -n "$link_b" addr add 10.77.0.2/24 dev veth0
  local ns
  for ns in "$link_a" "$link_b"; do
    ip -n "$ns" link set lo up
    ip -n "$ns" link set veth0 gso_max_size 14000 gro_max_size 14000 up
  done
  # mpirun reaches the other "host" through this in place of ssh: host name, then the command.
  cat >"$link_work/agent" <<END
#!/bin/sh
shift
exec ip netns exec $link_b unshare --uts sh -c "hostname node-b; \$*"
END
  chmod +x "$link_work/agent"
  printf '10.77.0.%s slots=%s\n' 1 "$link_ranks" 2 "$link_ranks" >"$link_work/hosts"
}

link_down() {
  ip netns del "$link_a" 2>/dev/null || true
  ip netns del "$link_b" 2>/dev/null || true
  rm -rf "$link_work"
}

# link_limit RATE: of both directions. A larger burst would let through at once what a step sends after a pause; a
# smaller one than what the network layer sends at once has the kernel cut it into packets, on the ranks' cores.
link_limit() {
  local ns
  for ns in "$link_a" "$link_b"; do
    tc -n "$ns" qdisc replace dev veth0 root tbf rate "$1" burst 32kb latency 50ms
  done
}

# on_link command...: link_ranks on each side, which meet in shared memory.
# shellcheck disable=SC2154  # mpi_flags is that of ranks.sh
on_link() {
  ip netns exec "$link_a" unshare --uts sh -c 'hostname node-a; exec "$@"' sh \
    mpirun "${mpi_flags[@]}" --hostfile "$link_work/hosts" -np $((2 * link_ranks)) \
    --mca plm_rsh_agent "$link_work/agent" --mca btl tcp,vader,self --mca btl_tcp_if_include veth0 \
    --mca oob_tcp_if_include veth0 --mca pml ob1 -x OMP_NUM_THREADS -x OMP_WAIT_POLICY "$@" </dev/null
}
