#include "parallel/comm/nccl/nccl_link.h"

#include <chrono>
#include <cstring>

namespace edt {
namespace {

constexpr auto kWatchEvery = std::chrono::milliseconds(500);

ncclUniqueId common_id(Communicator& ranks) {
  ncclUniqueId id{};
  ncclResult_t made = ncclSuccess;
  if (ranks.is_root()) made = ncclGetUniqueId(&id);
  std::string text(reinterpret_cast<const char*>(&id), sizeof id);
  if (made != ncclSuccess) text.clear();
  text = ranks.broadcast(text, 0, "NCCL's id");
  require<CommunicationError>(text.size() == sizeof id, "nccl", "{}: cannot make an id: {}",
                              ranks.label(), ncclGetErrorString(made));
  std::memcpy(&id, text.data(), sizeof id);
  return id;
}

}  // namespace

NcclLink::NcclLink(Communicator& ranks) {
  const ncclUniqueId id = common_id(ranks);
  require<CommunicationError>(cudaGetDevice(&device_) == cudaSuccess, "nccl",
                              "{}: no GPU has been chosen", ranks.label());
  check(ncclCommInitRank(&comm_, ranks.size(), id, ranks.rank()), "starting");
}

void NcclLink::connect(const std::vector<int>& peers, void* bytes, cudaStream_t stream) {
  constexpr std::size_t kHalf = kConnectionBytes / 2;
  auto* at = static_cast<std::byte*>(bytes);
  std::vector<Way> out, in;
  for (const int peer : peers) {
    out.push_back({peer, {{at, 1}}});
    in.push_back({peer, {{at + kHalf, 1}}});
    at += kConnectionBytes;
  }
  ask_for(out, in, stream);
  check(ncclBroadcast(at, at, 1, ncclUint8, 0, comm_, stream), "connecting");
  require<CommunicationError>(cudaStreamSynchronize(stream) == cudaSuccess, "nccl",
                              "connecting: {}", cudaGetErrorString(cudaGetLastError()));
  watcher_ = std::thread([this] { watch(); });
}

NcclLink::~NcclLink() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  if (!failure_.empty()) return;
  // With an exception on its way, what this rank's kernels wait for may never be asked for.
  std::uncaught_exceptions() > exceptions_ ? ncclCommAbort(comm_) : ncclCommDestroy(comm_);
}

void NcclLink::exchange(const Way& out, const Way& in, cudaStream_t stream) {
  exchange({&out, 1}, {&in, 1}, stream);
}

void NcclLink::exchange(std::span<const Way> out, std::span<const Way> in, cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  require_alive("exchange");
  ask_for(out, in, stream);
}

// In one group.
void NcclLink::ask_for(std::span<const Way> out, std::span<const Way> in, cudaStream_t stream) {
  ncclResult_t asked = ncclSuccess;
  const auto ask = [&](std::span<const Way> ways, auto send_or_receive) {
    for (const Way& way : ways) {
      for (const Chunk& chunk : way.chunks) {
        if (way.peer < 0 || chunk.empty() || asked != ncclSuccess) continue;
        asked = send_or_receive(chunk.data(), chunk.size(), ncclUint8, way.peer, comm_, stream);
      }
    }
  };
  check(ncclGroupStart(), "beginning a group");
  ask(out, ncclSend);
  ask(in, ncclRecv);
  // In any case: an open group would keep all that this thread asks of NCCL.
  const ncclResult_t ended = ncclGroupEnd();
  check(asked, "send or receive");
  check(ended, "ending a group");
}

void NcclLink::broadcast(const Tensor& tensor, int root, cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  require_alive("broadcast");
  check(ncclBroadcast(tensor.data, tensor.data, tensor.bytes(), ncclUint8, root, comm_, stream),
        "broadcast");
}

// After it has been aborted the communicator is gone.
void NcclLink::require_alive(std::string_view what) const {
  require<CommunicationError>(failure_.empty(), "nccl", "{}: given up: {}", what, failure_);
}

void NcclLink::check(ncclResult_t result, std::string_view what) {
  require<CommunicationError>(result == ncclSuccess, "nccl", "{}: {}", what,
                              ncclGetErrorString(result));
}

// Aborting ends the kernels that wait, so that whoever waits for them goes on and meets the
// failure.
void NcclLink::watch() {
  // A thread has GPU 0 until it chooses, and aborting would make a context there. Without a choice
  // there is still something to watch.
  static_cast<void>(cudaSetDevice(device_));
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kWatchEvery, [this] { return stop_; })) {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
    if (asked == ncclSuccess && (state == ncclSuccess || state == ncclInProgress)) continue;
    failure_ = ncclGetErrorString(asked == ncclSuccess ? state : asked);
    ncclCommAbort(comm_);
    return;
  }
}

}  // namespace edt
