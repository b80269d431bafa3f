// The legal ways to lay a training step out on a number of ranks, from the fastest that fits.
#pragma once

#include <optional>

#include "model/plan/predict.h"

namespace edt {

// What is set stays; what is not is searched.
struct SearchSpace {
  std::optional<int> tensor_ranks;
  std::optional<ZeroStage> stage;
  std::optional<int> shard_ranks;
  std::optional<std::int64_t> micro_batch;
  std::optional<Recompute> recompute;
  bool least = false;  // Recompute::kLeast is tried: what it gains is no measured time
  std::int64_t most_micro_batches = 64;  // of a rank in a step; more only where nothing fits else
  int node_ranks = 0;  // of a node, within which a state may be shared; 0: is not tried
};

struct SearchResult {
  std::vector<Prediction> fitting;    // fastest first
  std::vector<Prediction> too_large;  // least memory first
};

// `step` says everything else: sizes of micro-batches follow from its batch. Throws UsageError,
// naming what is legal, where nothing is.
std::vector<PlannedStep> legal_steps(const PlannedStep& step, int ranks, const SearchSpace& space);
SearchResult search(const PlannedStep& step, int ranks, const SearchSpace& space,
                    const Cluster& cluster);

// Why the first: one line for each choice that could have been made otherwise, with its price.
std::vector<std::string> explain(const SearchResult& result);

// "data 4 x tensor 2, zero 1, 2 micro-batches of 16, recompute none"
std::string describe(const PlannedStep& step);
std::string_view name_of(Recompute recompute);
// Whether what runs twice may: of blocks with gates no whole block, as train.recompute says.
bool can_recompute(const ModelConfig& model, Recompute recompute);

}  // namespace edt
