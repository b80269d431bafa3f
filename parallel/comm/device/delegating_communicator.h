// A communicator whose tensors travel in a way of its own, over another of the same ranks, which it
// owns and which carries everything that is no tensor.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parallel/comm/communicator.h"

namespace edt {

class DelegatingCommunicator : public Communicator {
 public:
  explicit DelegatingCommunicator(std::unique_ptr<Communicator> ranks) : ranks_(std::move(ranks)) {}

  int rank() const override { return ranks_->rank(); }
  int size() const override { return ranks_->size(); }
  const std::string& host() const override { return ranks_->host(); }
  [[noreturn]] void abort(int status) override {
    ranks_->abort(status);
    std::abort();  // GCC does not see that a virtual function never returns
  }

 protected:
  Communicator& ranks() const { return *ranks_; }

 private:
  // Of the hosts of the ranks; what devices do is ordered by messages alone.
  void do_barrier(const Collective& call) override { ranks_->barrier(call.label); }
  std::unique_ptr<SideChannel> do_side_channel(const Collective& call) override {
    return ranks_->side_channel(call.label);
  }
  std::vector<std::string> do_gather(std::string_view bytes, int root,
                                     const Collective& call) override {
    return ranks_->gather(bytes, root, call.label);
  }
  std::string do_broadcast_bytes(std::string_view bytes, int root,
                                 const Collective& call) override {
    return ranks_->broadcast(bytes, root, call.label);
  }

  std::unique_ptr<Communicator> ranks_;
};

}  // namespace edt
