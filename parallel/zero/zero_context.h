// What the gradients and the weights of one rank share.
#pragma once

#include <span>

#include "core/autograd/parameter.h"
#include "core/tensor/device.h"
#include "parallel/zero/bucket_plan.h"
#include "parallel/zero/communication_queue.h"

namespace edt {

struct ZeroContext {
  const BucketPlan& plan;
  const ZeroConfig& config;
  std::span<Parameter* const> parameters;  // those of the layout, in its order
  Communicator& ranks;                     // used by the tasks of the queue only
  CommunicationQueue& queue;
  Device& device;
};

}  // namespace edt
