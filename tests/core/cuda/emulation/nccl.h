// NCCL for ranks that are threads, on the emulated GPU. What a group sends leaves when it ends,
// what it receives arrives in the order of the stream. A communicator that is used after its end or
// ends within a group, and two of one GPU that are used by two threads, end the program.
#pragma once

namespace edt::emulation {

// What ncclCommGetAsyncError says from now on.
void set_nccl_failed(bool failed);
// Broadcasts fail from now on, and what they have asked of the stream waits for a dead peer: to
// come to it before the communicator has ended ends the program.
void set_nccl_peers_dead(bool dead);
// Communicators that were aborted so far.
int nccl_aborts();
// Messages so far between ranks that were not connected with their communicator: those would have
// been connected in the midst of a step.
int nccl_late_connections();

}  // namespace edt::emulation
