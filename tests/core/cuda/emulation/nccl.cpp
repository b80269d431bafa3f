#include "tests/core/cuda/emulation/nccl.h"

#include <nccl.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/dtype.h"
#include "tests/core/cuda/emulation/streams.h"

namespace {

using Bytes = std::vector<char>;

// What one id joins: letters by sender and receiver.
struct Party {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<int, int>, std::deque<Bytes>> letters;
};

struct Rank {
  std::shared_ptr<Party> party;
  int rank, size;
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
std::atomic<bool> failed = false;

thread_local int depth = 0;
thread_local std::vector<Operation> group;

Rank& rank_of(ncclComm_t comm) { return *reinterpret_cast<Rank*>(comm); }

void post(const Rank& rank, int to, Bytes letter) {
  const std::lock_guard lock(rank.party->mutex);
  rank.party->letters[{rank.rank, to}].push_back(std::move(letter));
  rank.party->changed.notify_all();
}

Bytes take(const Rank& rank, int from) {
  std::unique_lock lock(rank.party->mutex);
  auto& queue = rank.party->letters[{from, rank.rank}];
  rank.party->changed.wait(lock, [&] { return !queue.empty(); });
  Bytes letter = std::move(queue.front());
  queue.pop_front();
  return letter;
}

Bytes bytes_at(const void* data, std::size_t size) {
  const char* begin = static_cast<const char*>(data);
  return {begin, begin + size};
}

ncclResult_t run_group() {
  for (const Operation& o : group) {
    if (!o.send) continue;
    edt::emulation::finish(o.stream);
    post(*o.rank, o.peer, bytes_at(o.data, o.bytes));
  }
  ncclResult_t result = ncclSuccess;
  for (const Operation& o : group) {
    if (o.send) continue;
    const Bytes letter = take(*o.rank, o.peer);
    if (letter.size() != o.bytes) {
      result = ncclInvalidUsage;
      continue;
    }
    edt::emulation::finish(o.stream);
    std::memcpy(o.data, letter.data(), letter.size());
  }
  group.clear();
  return result;
}

// NCCL itself can be captured; the project does not do it, and would see it here.
ncclResult_t ask(Operation operation) {
  if (edt::emulation::is_captured(operation.stream)) return ncclInvalidUsage;
  group.push_back(operation);
  return depth == 0 ? run_group() : ncclSuccess;
}

template <class T>
void reduce(ncclRedOp_t operation, const Bytes& from, Bytes& to) {
  const auto* a = reinterpret_cast<const T*>(from.data());
  auto* b = reinterpret_cast<T*>(to.data());
  for (std::size_t i = 0; i < to.size() / sizeof(T); ++i) {
    const T x = a[i], y = b[i];
    const bool nan = x != x || y != y;
    if (operation == ncclSum) {
      b[i] = static_cast<T>(x + y);
    } else if (nan) {
      b[i] = static_cast<T>(x + y);
    } else {
      b[i] = operation == ncclMax ? std::max(x, y) : std::min(x, y);
    }
  }
}

}  // namespace

namespace edt::emulation {

void set_nccl_failed(bool now) { failed = now; }

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
  *comm = reinterpret_cast<ncclComm_t>(new Rank{party, rank, size});
  return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete &rank_of(comm);
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) { return ncclCommDestroy(comm); }
ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* state) {
  *state = failed ? ncclRemoteError : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() { return --depth == 0 ? run_group() : ncclSuccess; }
ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return ask({&rank_of(comm), true, const_cast<void*>(data), count, peer, stream});
}
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return ask({&rank_of(comm), false, data, count, peer, stream});
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  if (edt::emulation::is_captured(stream)) return ncclInvalidUsage;
  Rank& rank = rank_of(comm);
  edt::emulation::finish(stream);
  if (rank.rank == root) {
    for (int r = 0; r < rank.size; ++r) {
      if (r != root) post(rank, r, bytes_at(from, count));
    }
  } else {
    const Bytes letter = take(rank, root);
    std::memcpy(to, letter.data(), letter.size());
  }
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  if (edt::emulation::is_captured(stream)) return ncclInvalidUsage;
  Rank& rank = rank_of(comm);
  edt::emulation::finish(stream);
  const std::size_t width = type == ncclFloat64 ? 8 : type == ncclBfloat16 ? 2 : 4;
  Bytes sum = bytes_at(from, count * width);
  for (int r = 0; r < rank.size; ++r) {
    if (r != rank.rank) post(rank, r, sum);
  }
  for (int r = 0; r < rank.size; ++r) {
    if (r == rank.rank) continue;
    const Bytes other = take(rank, r);
    if (type == ncclInt32) reduce<std::int32_t>(operation, other, sum);
    if (type == ncclFloat32) reduce<float>(operation, other, sum);
    if (type == ncclFloat64) reduce<double>(operation, other, sum);
  }
  std::memcpy(to, sum.data(), sum.size());
  return ncclSuccess;
}

}  // extern "C"
