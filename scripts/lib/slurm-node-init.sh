#!/usr/bin/env bash
# Process 1 of one node of scripts/slurm-cluster.sh: its host name, network and shared memory, then slurmd.
node=$1
hostname "$node"
mount -t tmpfs -o size=256m tmpfs /dev/shm
until ip link show eth0 >/dev/null 2>&1; do sleep 0.01; done
ip addr add "10.98.0.${node#node}/24" dev eth0
ip link set lo up
ip link set eth0 up
slurmd -D -N "$node" </dev/null >/dev/null 2>&1 &
daemon=$!
while kill -0 $daemon 2>/dev/null; do wait $daemon; done
