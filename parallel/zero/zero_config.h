// How the state of training is spread over data-parallel ranks (Rajbhandari et al., "ZeRO",
// arXiv 1910.02054).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/tensor/memory.h"
#include "parallel/comm/communicator.h"

namespace edt {

class QueueObserver;

// What each rank keeps a part of, of N ranks or of the shard_ranks; the rest it has whole.
enum class ZeroStage {
  kNone,       // nothing
  kOptimizer,  // master weights, optimizer state, moving average
  kGradients,  // and gradients
  kWeights,    // and the weights that kernels read, gathered per block ahead of use
};

struct ZeroConfig {
  ZeroStage stage = ZeroStage::kNone;
  bool overlap = true;  // communicate on a thread of its own while this one computes
  Wire reduce_dtype = Wire::kExact;
  // What rounding takes from a rank's gradient is added to its next one (Wires that round once).
  bool error_feedback = false;
  // Neighbouring ranks that hold what is shared once; 0: all. Other such neighbours hold the same.
  int shard_ranks = 0;
  // Weights and gradients that travel together where they are whole (below kGradients): smaller
  // starts earlier, larger has fewer messages. Otherwise a bucket is a transformer block.
  std::int64_t bucket_elements = std::int64_t{2} << 20;
  // Where ranks that share the state have weights in common that kernels read, on one machine and
  // below stage kWeights (make_shared_memory()). Empty: each has its own.
  std::function<std::unique_ptr<Memory>(Communicator& shard_ranks)> shared_weights;
  QueueObserver* observer = nullptr;  // records the schedule, for plans
  int prefetch = 2;  // blocks whose weights are on their way before they are used (kWeights)
};

}  // namespace edt
