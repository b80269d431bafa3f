// What the gradients and the weights of one rank share.
#pragma once

#include <functional>
#include <span>
#include <utility>

#include "core/autograd/parameter.h"
#include "core/tensor/device.h"
#include "parallel/zero/bucket_plan.h"
#include "parallel/zero/communication_queue.h"

namespace edt {

struct ZeroContext {
  const BucketPlan& plan;
  const ZeroConfig& config;
  std::span<Parameter* const> parameters;  // those of the layout, in its order
  // Used by the tasks of the queue only; null where a group is one rank.
  Communicator* shard_ranks;  // that hold the state together
  Communicator* replicas;     // that hold the same part of it
  CommunicationQueue& queue;
  Device& device;
  Memory* shared_weights = nullptr;  // of shard_ranks; null: each has weights of its own

  // What asks the queue for communication, or waits for it: where the device's work is captured, a
  // replay asks again. Of one rank there is none, and the queue's tasks are work of the device.
  void exchange(std::function<void()> step) const {
    plan.ranks() == 1 ? step() : device.host_step(std::move(step));
  }
};

}  // namespace edt
