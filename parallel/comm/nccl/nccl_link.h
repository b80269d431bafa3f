// One NCCL communicator and the thread that looks for its asynchronous errors: a peer that has died
// is no error of any call here, and kernels that wait for it would wait for ever.
#pragma once

#include <nccl.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "core/tensor/tensor.h"
#include "parallel/comm/communicator.h"
#include "parallel/comm/pipelined_sendrecv.h"

namespace edt {

class NcclLink {
 public:
  // All of `ranks` call it, each with its GPU as the thread's current one; then connect().
  explicit NcclLink(Communicator& ranks);
  ~NcclLink();

  // The first exchange of two ranks connects them, which takes long, and waits for a peer that may
  // have died with nothing to end it. So all of a rank's are made here, before there is a watcher
  // to keep out and before any step. All ranks call it, and each is among the peers of its own
  // peers. `bytes` is device memory, kConnectionBytes for each peer and for one more.
  static constexpr std::size_t kConnectionBytes = 32;
  void connect(const std::vector<int>& peers, void* bytes, cudaStream_t stream);

  // Chunks of device memory to one rank and from another at once; -1: to or from nobody.
  struct Way {
    int peer = -1;
    std::vector<Chunk> chunks;
  };
  void exchange(const Way& out, const Way& in, cudaStream_t stream);
  void exchange(std::span<const Way> out, std::span<const Way> in, cudaStream_t stream);
  void broadcast(const Tensor& tensor, int root, cudaStream_t stream);

 private:
  void ask_for(std::span<const Way> out, std::span<const Way> in, cudaStream_t stream);
  void require_alive(std::string_view what) const;
  static void check(ncclResult_t result, std::string_view what);
  void watch();

  ncclComm_t comm_ = nullptr;
  int device_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::string failure_;  // not empty: aborted
  int exceptions_ = std::uncaught_exceptions();
  std::thread watcher_;
};

}  // namespace edt
