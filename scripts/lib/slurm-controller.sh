#!/usr/bin/env bash
# The inside of scripts/slurm-cluster.sh: process 1 of the cluster's namespace, on the host "controller".
# Usage: slurm-controller.sh NODES CPUS LOGS COMMAND...
set -euo pipefail
nodes=$1 cpus=$2 logs=$3
shift 3
lib=$(cd "$(dirname "$0")" && pwd)
export EDT_CLUSTER=/run/edt-cluster  # in memory, seen by this cluster only
net=10.98.0

mount -t tmpfs tmpfs /run
mkdir -p $EDT_CLUSTER/{munge,state} "$logs"
hostname controller
{
  echo "127.0.0.1 localhost"
  echo "$net.254 controller"
  for ((i = 1; i <= nodes; ++i)); do echo "$net.$i node$i"; done
} >$EDT_CLUSTER/hosts
mount --bind $EDT_CLUSTER/hosts /etc/hosts
ip link set lo up
ip link add bridge type bridge
ip addr add $net.254/24 dev bridge
ip link set bridge up

(umask 077 && head -c 1024 /dev/urandom >$EDT_CLUSTER/munge/key)
munged --force --key-file=$EDT_CLUSTER/munge/key --socket=$EDT_CLUSTER/munge/socket \
  --pid-file=$EDT_CLUSTER/munge/pid --seed-file=$EDT_CLUSTER/munge/seed --log-file="$logs/munged.log" \
  --num-threads=2 2>>"$logs/munged.log"

# cred_expire: a requeued job starts after about 10 s instead of 120. The shared folder of a node's PMIx is private
# to it, as on a real cluster.
cat >$EDT_CLUSTER/slurm.conf <<CONF
ClusterName=test
GresTypes=gpu
SlurmctldHost=controller($net.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$EDT_CLUSTER/munge/socket,cred_expire=5
SlurmctldPort=17000
SlurmdPort=17001
SlurmctldPidFile=$EDT_CLUSTER/slurmctld.pid
SlurmdPidFile=$EDT_CLUSTER/slurmd.%n.pid
SlurmctldLogFile=$logs/slurmctld.log
SlurmdLogFile=$logs/slurmd.%n.log
StateSaveLocation=$EDT_CLUSTER/state
SlurmdSpoolDir=$EDT_CLUSTER/spool.%n
TmpFS=$EDT_CLUSTER/tmp.%n
PlugStackConfig=$EDT_CLUSTER/plugstack.conf
TaskProlog=$EDT_CLUSTER/taskprolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$logs/jobs.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
MpiDefault=${EDT_CLUSTER_MPI:-pmix}
ReturnToService=2
SlurmdTimeout=15
SlurmctldTimeout=15
InactiveLimit=0
KillWait=5
MinJobAge=3600
JobRequeue=1
MailProg=/bin/true
SlurmctldDebug=info
SlurmdDebug=verbose
CONF
for ((i = 1; i <= nodes; ++i)); do
  echo "NodeName=node$i NodeAddr=$net.$i CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus" \
    "ThreadsPerCore=1 RealMemory=4000 Gres=gpu:2 State=UNKNOWN"
done >>$EDT_CLUSTER/slurm.conf
# Two GPUs on each node, for Slurm alone: it gives them to jobs and tells tasks which are theirs.
for gpu in 0 1; do ln -s /dev/null $EDT_CLUSTER/gpu$gpu; done
echo "NodeName=node[1-$nodes] Name=gpu File=$EDT_CLUSTER/gpu[0-1]" >$EDT_CLUSTER/gres.conf
echo "PartitionName=main Nodes=node[1-$nodes] Default=YES MaxTime=INFINITE State=UP" >>$EDT_CLUSTER/slurm.conf
: >$EDT_CLUSTER/plugstack.conf
# What a site would set for its users; here all is root.
cat >$EDT_CLUSTER/taskprolog <<'PROLOG'
#!/bin/sh
echo "export TMPDIR=$EDT_CLUSTER/tmp.$SLURMD_NODENAME"
echo "export OMPI_ALLOW_RUN_AS_ROOT=1"
echo "export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
PROLOG
sed -i "s|\$EDT_CLUSTER|$EDT_CLUSTER|" $EDT_CLUSTER/taskprolog
chmod +x $EDT_CLUSTER/taskprolog

export SLURM_CONF=$EDT_CLUSTER/slurm.conf PATH="$lib/slurm-nodes:$PATH"
slurmctld
for ((i = 1; i <= nodes; ++i)); do node-boot node$i; done
for ((k = 0; k < 200; ++k)); do
  [[ $(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l) -eq $nodes ]] && break
  sleep 0.05
done
if ((k == 200)); then
  echo "the cluster did not come up; logs are in $logs" >&2
  tail -n 5 "$logs"/*.log >&2
  exit 1
fi
status=0
"$@" || status=$?
exit $status
