#include "parallel/nccl/nccl_link.h"

#include <chrono>
#include <cstring>

namespace edt {
namespace {

constexpr auto kWatchEvery = std::chrono::milliseconds(500);

ncclDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return ncclFloat32;
    case DType::kFloat64:
      return ncclFloat64;
    case DType::kBFloat16:
      return ncclBfloat16;
    case DType::kInt32:
      return ncclInt32;
  }
  EDT_ASSERT(false);
  return ncclUint8;
}

// A logical or of 0 and 1 is their maximum.
ncclRedOp_t operation_of(Reduce reduce) {
  switch (reduce) {
    case Reduce::kSum:
      return ncclSum;
    case Reduce::kMin:
      return ncclMin;
    case Reduce::kMax:
    case Reduce::kOr:
      return ncclMax;
  }
  EDT_ASSERT(false);
  return ncclSum;
}

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
  check(ncclCommInitRank(&comm_, ranks.size(), id, ranks.rank()), "starting");
  watcher_ = std::thread([this] { watch(); });
}

NcclLink::~NcclLink() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  watcher_.join();
  if (failure_.empty()) ncclCommDestroy(comm_);
}

void NcclLink::exchange(const Way& out, const Way& in, cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  check(ncclGroupStart(), "beginning a group");
  for (const Piece& piece : out.peer < 0 ? std::vector<Piece>{} : out.pieces) {
    if (piece.empty()) continue;
    check(ncclSend(piece.data(), piece.size(), ncclUint8, out.peer, comm_, stream), "send");
  }
  for (const Piece& piece : in.peer < 0 ? std::vector<Piece>{} : in.pieces) {
    if (piece.empty()) continue;
    check(ncclRecv(piece.data(), piece.size(), ncclUint8, in.peer, comm_, stream), "receive");
  }
  check(ncclGroupEnd(), "ending a group");
}

void NcclLink::all_reduce(const Tensor& tensor, Reduce reduce, cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  check(ncclAllReduce(tensor.data, tensor.data, static_cast<std::size_t>(tensor.elements()),
                      type_of(tensor.dtype), operation_of(reduce), comm_, stream),
        "all_reduce");
}

void NcclLink::broadcast(const Tensor& tensor, int root, cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  check(ncclBroadcast(tensor.data, tensor.data, tensor.bytes(), ncclUint8, root, comm_, stream),
        "broadcast");
}

void NcclLink::check(ncclResult_t result, std::string_view what) {
  require<CommunicationError>(failure_.empty(), "nccl", "{}: given up: {}", what, failure_);
  require<CommunicationError>(result == ncclSuccess, "nccl", "{}: {}", what,
                              ncclGetErrorString(result));
}

// Aborting ends the kernels that wait, so that whoever waits for them goes on and meets the
// failure.
void NcclLink::watch() {
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
