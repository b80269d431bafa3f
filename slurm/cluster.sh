# Everything here that depends on the cluster. Read by every batch script of this folder (and put into those that
# `edt slurm` writes), on the first node of the job. Change it once for your site.

# Software. module load openmpi/4.1 hdf5/1.10
EDT=${EDT:-edt}  # the program, by name or path; the same path on every node

# What starts the ranks: srun (Slurm with PMIx, `srun --mpi=list` shows it) or mpirun (Open MPI that knows Slurm).
EDT_LAUNCHER=${EDT_LAUNCHER:-srun}
# shellcheck disable=SC2034  # job.sh reads them
EDT_SRUN_OPTIONS=(--mpi=pmix) EDT_MPIRUN_OPTIONS=()

# Network of the messages between ranks, where Open MPI does not find the right one by itself:
# export OMPI_MCA_btl_tcp_if_include=10.0.0.0/16 OMPI_MCA_oob_tcp_if_include=10.0.0.0/16
# export NCCL_SOCKET_IFNAME=ib0

# How a job is put back into the queue after it has saved, or after a crash:
#   scontrol   by itself; works on every Slurm that lets users requeue their jobs (JobRequeue=1 or --requeue)
#   exit       by ending with status EDT_REQUEUE_EXIT, which slurm.conf has in RequeueExit
#   none       not at all: it ends with edt's status (jobs of a chain, where the next one goes on)
EDT_REQUEUE=${EDT_REQUEUE:-scontrol}
EDT_REQUEUE_EXIT=${EDT_REQUEUE_EXIT:-85}

# A job that crashes so often in a row, with no new checkpoint in between, is not started again.
EDT_MAX_CRASHES=${EDT_MAX_CRASHES:-3}
