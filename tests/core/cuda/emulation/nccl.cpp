#include "tests/core/cuda/emulation/nccl.h"

#include <nccl.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/core/cuda/emulation/device_memory.h"
#include "tests/core/cuda/emulation/streams.h"

namespace {

using Bytes = std::vector<char>;

// What one id joins: messages by sender and receiver.
struct Party {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<int, int>, std::deque<Bytes>> messages;
};

struct Rank {
  std::shared_ptr<Party> party;
  int rank, size;
  std::thread::id maker = std::this_thread::get_id();  // stands for its GPU
  std::thread::id user{};
  bool gone = false;             // destroyed or aborted
  std::set<int> connected = {};  // in the first group, which is nobody's use yet
  bool is_connected = false;
};

struct Operation {
  Rank* rank;
  bool send;
  void* data;
  std::size_t bytes;
  int peer;
  cudaStream_t stream;
};

std::mutex parties_mutex;
std::map<int, std::shared_ptr<Party>> parties;
int next_id = 0;
std::atomic<bool> failed = false, peers_dead = false;
std::atomic<int> aborted = 0, late = 0;

std::vector<std::unique_ptr<Rank>> ranks;  // all that were made

thread_local int group_depth = 0;
thread_local std::vector<Operation> group;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "emulation of NCCL: %s\n", what);
  std::abort();
}

Rank& rank_of(ncclComm_t comm) {
  Rank& rank = *reinterpret_cast<Rank*>(comm);
  if (rank.gone) fail("a communicator is used after its end");
  return rank;
}

// NCCL's guide: communicators of one GPU are used in one order on all ranks. Those of one thread
// are.
Rank& used(ncclComm_t comm) {
  Rank& rank = rank_of(comm);
  if (!rank.is_connected) return rank;
  const std::lock_guard lock(parties_mutex);
  rank.user = std::this_thread::get_id();
  for (const auto& other : ranks) {
    const bool beside = !other->gone && other->maker == rank.maker;
    if (beside && other->user != std::thread::id{} && other->user != rank.user) {
      fail("communicators of one GPU are used by two threads");
    }
  }
  return rank;
}

// Ranks stay, so that whoever uses one after its end is seen.
ncclResult_t end(ncclComm_t comm) {
  if (group_depth != 0) fail("a communicator ends within a group");
  rank_of(comm).gone = true;
  return ncclSuccess;
}

void post(const Rank& rank, int to, Bytes message) {
  const std::lock_guard lock(rank.party->mutex);
  rank.party->messages[{rank.rank, to}].push_back(std::move(message));
  rank.party->changed.notify_all();
}

Bytes take(const Rank& rank, int from) {
  std::unique_lock lock(rank.party->mutex);
  auto& queue = rank.party->messages[{from, rank.rank}];
  rank.party->changed.wait(lock, [&] { return !queue.empty(); });
  Bytes message = std::move(queue.front());
  queue.pop_front();
  return message;
}

// Once the stream has come to it.
Bytes bytes_at(const void* data, std::size_t size, cudaStream_t stream) {
  edt::emulation::finish(stream);
  const edt::emulation::AtWork at_work;
  const char* begin = static_cast<const char*>(data);
  return {begin, begin + size};
}

// What has arrived is written when the stream comes to it: as late as it may be.
void put(Bytes message, void* data, cudaStream_t stream) {
  edt::emulation::ask(stream, [message = std::move(message), data] {
    std::memcpy(data, message.data(), message.size());
  });
}

ncclResult_t run_group() {
  for (const Operation& o : group) {
    if (!o.rank->is_connected) {
      o.rank->connected.insert(o.peer);
    } else if (!o.rank->connected.contains(o.peer)) {
      ++late;
    }
  }
  for (const Operation& o : group) {
    if (!o.send) continue;
    post(*o.rank, o.peer, bytes_at(o.data, o.bytes, o.stream));
  }
  ncclResult_t result = ncclSuccess;
  for (const Operation& o : group) {
    if (o.send) continue;
    Bytes message = take(*o.rank, o.peer);
    if (message.size() != o.bytes) {
      result = ncclInvalidUsage;
      continue;
    }
    put(std::move(message), o.data, o.stream);
  }
  group.clear();
  return result;
}

// NCCL itself can be captured; the project does not do it, and would see it here.
ncclResult_t ask(Operation operation) {
  if (edt::emulation::is_captured(operation.stream)) return ncclInvalidUsage;
  group.push_back(operation);
  return group_depth == 0 ? run_group() : ncclSuccess;
}

}  // namespace

namespace edt::emulation {

void set_nccl_failed(bool now) { failed = now; }
void set_nccl_peers_dead(bool now) { peers_dead = now; }
int nccl_aborts() { return aborted; }
int nccl_late_connections() { return late; }

}  // namespace edt::emulation

extern "C" {

const char* ncclGetErrorString(ncclResult_t) { return "emulated error"; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::lock_guard lock(parties_mutex);
  std::memset(id, 0, sizeof *id);
  ++next_id;
  std::memcpy(id, &next_id, sizeof next_id);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int size, ncclUniqueId id, int rank) {
  int number = 0;
  std::memcpy(&number, &id, sizeof number);
  const std::lock_guard lock(parties_mutex);
  auto& party = parties[number];
  if (!party) party = std::make_shared<Party>();
  ranks.push_back(std::make_unique<Rank>(Rank{party, rank, size}));
  *comm = reinterpret_cast<ncclComm_t>(ranks.back().get());
  return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) { return end(comm); }
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  edt::emulation::require_chosen_gpu("ncclCommAbort");
  ++aborted;
  return end(comm);
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  rank_of(comm);
  *state = failed ? ncclRemoteError : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++group_depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() { return --group_depth == 0 ? run_group() : ncclSuccess; }
ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return ask({&used(comm), true, const_cast<void*>(data), count, peer, stream});
}
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return ask({&used(comm), false, data, count, peer, stream});
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  if (edt::emulation::is_captured(stream)) return ncclInvalidUsage;
  Rank& rank = used(comm);
  if (peers_dead) {
    edt::emulation::ask(stream, [&rank] {
      if (!rank.gone) fail("a kernel waits for a dead peer, and the device for the kernel");
    });
    return ncclRemoteError;
  }
  rank.is_connected = true;  // what connects ends with a broadcast
  if (rank.rank == root) {
    for (int r = 0; r < rank.size; ++r) {
      if (r != root) post(rank, r, bytes_at(from, count, stream));
    }
  } else {
    put(take(rank, root), to, stream);
  }
  return ncclSuccess;
}

}  // extern "C"
