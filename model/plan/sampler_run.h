// Runs the code of a guided sampler over memory that is not there: what it would take.
#pragma once

#include <optional>

#include "model/diffusion/solvers/solver.h"
#include "model/families/model_config.h"
#include "model/sampling/cache_plan.h"

namespace edt {

struct PlannedSampler {
  ModelConfig model;
  DType dtype = DType::kFloat32;
  std::int64_t pictures = 1;      // made together
  bool guided = true;             // each seen with and without its class
  std::size_t decoder_bytes = 0;  // of what makes pictures of the latents
  CacheConfig cache;
  std::optional<SolverKind> solver;  // some ask twice in a step, and a cache serves both
  std::optional<ModelConfig> guide;  // of autoguidance: the pictures are then seen once by each
  bool int8 = false;                 // weights of the blocks in integers besides
};

// Bytes of weights, tables and activations, of the cache, and of the decoder: of a device that
// keeps its own copy of the weights, or of a host that keeps them in float32 besides.
std::size_t dry_run_of_sampler(const PlannedSampler& planned, bool in_host_memory = true);
// Of these, the cache's.
std::size_t dry_run_of_cache(const PlannedSampler& planned);

}  // namespace edt
