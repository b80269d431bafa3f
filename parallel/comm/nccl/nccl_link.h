// One NCCL communicator and the thread that looks for its asynchronous errors: a peer that has died
// is no error of any call here, and kernels that wait for it would wait for ever.
#pragma once

#include <nccl.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>

#include "core/tensor/tensor.h"
#include "parallel/comm/communicator.h"
#include "parallel/comm/pipelined_sendrecv.h"

namespace edt {

class NcclLink {
 public:
  // All of `ranks` call it, each with its GPU as the thread's current one.
  explicit NcclLink(Communicator& ranks);
  ~NcclLink();

  // Chunks of device memory to one rank and from another at once; -1: to or from nobody.
  struct Way {
    int peer = -1;
    std::vector<Chunk> chunks;
  };
  void exchange(const Way& out, const Way& in, cudaStream_t stream);
  void broadcast(const Tensor& tensor, int root, cudaStream_t stream);

 private:
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
