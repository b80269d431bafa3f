#include "model/plan/search.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/odd_part.h"
#include "parallel/sharding/mesh.h"
#include "parallel/sharding/shard_groups.h"
#include "parallel/sharding/sum_tree.h"

namespace edt {
namespace {

template <class T>
std::vector<T> choices(const std::optional<T>& fixed, std::vector<T> all) {
  return fixed ? std::vector<T>{*fixed} : all;
}

// Sizes for which gradients travel once in a step.
std::vector<std::int64_t> sizes_for(std::int64_t batch, int data_ranks) {
  constexpr std::int64_t kLargest = 65536;  // that training takes
  std::vector<std::int64_t> sizes = micro_batch_sizes(batch, OddPart::of(data_ranks).odd);
  std::erase_if(sizes, [](std::int64_t size) { return size > kLargest; });
  return sizes;
}

// All data ranks, or as many neighbours as a node has, where these are a group. A size that is
// asked for: where it is one.
std::vector<int> shard_choices(int data_ranks, int tensor_ranks, const SearchSpace& space) {
  std::vector<int> sizes{0};
  const auto groups = shard_group_sizes(data_ranks);
  if (const int asked = space.shard_ranks.value_or(0); asked > 0) {
    sizes.assign(std::ranges::count(groups, asked), asked);
    return sizes;
  }
  if (space.shard_ranks) return sizes;
  const int within = space.node_ranks / tensor_ranks;
  if (within >= data_ranks) return sizes;
  for (const int size : groups) {
    if (size > 1 && size <= within && within % size == 0) sizes = {0, size};
  }
  return sizes;
}

// The ways to share the state among the data ranks; of one nobody does.
std::vector<ZeroConfig> ways_to_share(const ZeroConfig& zero, int data_ranks, int tensor_ranks,
                                      const SearchSpace& space) {
  const std::vector<ZeroStage> stages =
      data_ranks == 1 ? std::vector{ZeroStage::kNone}
                      : std::vector{ZeroStage::kNone, ZeroStage::kOptimizer, ZeroStage::kGradients,
                                    ZeroStage::kWeights};
  std::vector<ZeroConfig> ways;
  for (const ZeroStage stage : choices(space.stage, stages)) {
    const bool shares = stage != ZeroStage::kNone;
    const auto sizes = shard_choices(data_ranks, tensor_ranks, space);
    for (const int size : shares ? sizes : std::vector{0}) {
      ZeroConfig way = zero;
      way.stage = stage;
      way.shard_ranks = size;
      ways.push_back(way);
    }
  }
  return ways;
}

bool is_legal(const PlannedStep& step, const SearchSpace& space) {
  const std::int64_t count = step.engine.batch / step.engine.micro_batch;
  return step.engine.batch % step.engine.micro_batch == 0 && count % step.data_ranks == 0 &&
         count / step.data_ranks <= space.most_micro_batches;
}

// Where that may be why nothing is legal.
std::string asked_groups(const SearchSpace& space) {
  const int asked = space.shard_ranks.value_or(0);
  return asked == 0 ? "" : fmt::format("; parallel.shard-ranks is {}", asked);
}

// Where no cut of the batch would do.
std::string other_batches(std::int64_t batch, int data_ranks) {
  if (data_ranks < 1 || batch % data_ranks == 0) return "";
  return fmt::format("; a batch of {} would do",
                     fmt::join(batches_near(batch, data_ranks), " or "));
}

std::string gibibytes(double bytes) {
  return fmt::format("{:.2f} GiB", bytes / static_cast<double>(1 << 30));
}

struct Dimension {
  const char* name;
  std::string (*value)(const PlannedStep&);
};

const std::vector<Dimension>& dimensions() {
  static const std::vector<Dimension> all{
      {"tensor ranks", [](const PlannedStep& s) { return std::to_string(s.tensor_ranks); }},
      {"state", [](const PlannedStep& s) { return text_of(s.engine.zero); }},
      {"micro-batch", [](const PlannedStep& s) { return std::to_string(s.engine.micro_batch); }},
      {"recompute", [](const PlannedStep& s) { return std::string(name_of(s.engine.recompute)); }},
  };
  return all;
}

bool differs_only_in(std::size_t dimension, const PlannedStep& a, const PlannedStep& b) {
  for (std::size_t i = 0; i < dimensions().size(); ++i) {
    const bool same = dimensions()[i].value(a) == dimensions()[i].value(b);
    if (same == (i == dimension)) return false;
  }
  return true;
}

}  // namespace

std::string_view name_of(Recompute recompute) {
  switch (recompute) {
    case Recompute::kLeast:
      return "least";
    case Recompute::kNone:
      return "none";
    case Recompute::kSelective:
      return "selective";
    case Recompute::kFull:
      return "full";
  }
  return "?";
}

bool can_recompute(const ModelConfig& model, Recompute recompute) {
  return recompute != Recompute::kFull || !model.common().gates.is_on();
}

std::string describe(const PlannedStep& step) {
  const std::int64_t own = step.own_micro_batches();
  return fmt::format("data {} x tensor {}, {}, {} micro-batch{} of {}, recompute {}",
                     step.data_ranks, step.tensor_ranks, text_of(step.engine.zero), own,
                     own == 1 ? "" : "es", step.engine.micro_batch, name_of(step.engine.recompute));
}

std::vector<PlannedStep> legal_steps(const PlannedStep& step, int ranks, const SearchSpace& space) {
  std::vector<PlannedStep> legal;
  std::vector ways{Recompute::kNone, Recompute::kSelective, Recompute::kFull};
  if (space.least) ways.insert(ways.begin(), Recompute::kLeast);
  std::erase_if(ways, [&](Recompute one) { return !can_recompute(step.model, one); });
  for (const int tensor : choices(space.tensor_ranks, step.auxiliary.tensor_degrees(step.model))) {
    if (ranks % tensor != 0) continue;
    const int data = ranks / tensor;
    for (const ZeroConfig& zero : ways_to_share(step.engine.zero, data, tensor, space)) {
      for (const std::int64_t size :
           choices(space.micro_batch, sizes_for(step.engine.batch, data))) {
        for (const Recompute recompute : choices(space.recompute, ways)) {
          PlannedStep candidate = step;
          candidate.tensor_ranks = tensor;
          candidate.data_ranks = data;
          candidate.engine.zero = zero;
          candidate.engine.micro_batch = size;
          candidate.engine.recompute = recompute;
          if (is_legal(candidate, space)) legal.push_back(std::move(candidate));
        }
      }
    }
  }
  require<UsageError>(
      !legal.empty(), "plan",
      "{} ranks cannot share a batch of {}: {} allows tensor ranks {}, the batch has to be cut "
      "into equal micro-batches, as many for each data rank and at most {}{}{}",
      ranks, step.engine.batch, step.model.name(),
      fmt::join(step.auxiliary.tensor_degrees(step.model), ", "), space.most_micro_batches,
      other_batches(step.engine.batch, ranks / space.tensor_ranks.value_or(1)),
      asked_groups(space));
  return legal;
}

namespace {

void try_one(const PlannedStep& candidate, const Cluster& cluster, SearchResult& result) {
  Prediction prediction = predict(candidate, cluster);
  (prediction.fits() ? result.fitting : result.too_large).push_back(std::move(prediction));
}

// Where nothing fits: more and smaller micro-batches, until something does. Of those that do not
// fit either only the least is kept, as a whole dry step of so many takes its time.
void try_smaller(const PlannedStep& step, int ranks, SearchSpace space, const Cluster& cluster,
                 SearchResult& result) {
  constexpr std::int64_t kMost = 1024;
  std::optional<PlannedStep> least;
  std::size_t least_bytes = 0;
  while (result.fitting.empty() && space.most_micro_batches < kMost) {
    const std::int64_t tried = space.most_micro_batches;
    space.most_micro_batches *= 2;
    for (const PlannedStep& candidate : legal_steps(step, ranks, space)) {
      if (candidate.own_micro_batches() <= tried) continue;
      const std::size_t bytes = dry_run_of_memory(candidate).bytes;
      if (static_cast<double>(bytes) + cluster.process_memory <= cluster.memory) {
        try_one(candidate, cluster, result);
      } else if (!least || bytes < least_bytes) {
        least = candidate;
        least_bytes = bytes;
      }
    }
  }
  if (result.fitting.empty() && least) try_one(*least, cluster, result);
}

}  // namespace

SearchResult search(const PlannedStep& step, int ranks, const SearchSpace& space,
                    const Cluster& cluster) {
  SearchResult result;
  for (const PlannedStep& candidate : legal_steps(step, ranks, space)) {
    try_one(candidate, cluster, result);
  }
  if (result.fitting.empty() && !space.micro_batch) {
    try_smaller(step, ranks, space, cluster, result);
  }
  std::ranges::stable_sort(result.fitting, {}, [](const Prediction& p) { return p.time.seconds; });
  std::ranges::stable_sort(result.too_large, {}, &Prediction::memory_bytes);
  return result;
}

std::vector<std::string> explain(const SearchResult& result) {
  if (result.fitting.empty()) return {};
  const Prediction& best = result.fitting.front();
  std::vector<std::string> lines;
  for (std::size_t d = 0; d < dimensions().size(); ++d) {
    const Dimension& dimension = dimensions()[d];
    const auto other_than_best = [&](const Prediction& p) {
      return differs_only_in(d, p.step, best.step);
    };
    std::string line;
    for (const Prediction& p : result.fitting) {
      if (!other_than_best(p)) continue;
      const double slower = 100 * (p.time.seconds / best.time.seconds - 1);
      line += fmt::format("{}{}: {:+.1f} % time, {}", line.empty() ? "" : "; ",
                          dimension.value(p.step), slower, gibibytes(p.memory_bytes));
    }
    for (const Prediction& p : result.too_large) {
      if (!other_than_best(p)) continue;
      line += fmt::format("{}{}: does not fit ({})", line.empty() ? "" : "; ",
                          dimension.value(p.step), gibibytes(p.memory_bytes));
    }
    if (!line.empty()) {
      lines.push_back(
          fmt::format("{} {}, not {}", dimension.name, dimension.value(best.step), line));
    }
  }
  return lines;
}

}  // namespace edt
