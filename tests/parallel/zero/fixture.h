// Parameters of a model that is only a list of shapes, and what ZeRO must make of them: sums,
// weights and updates that are computed in one place, without ranks.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "core/ops/backend.h"
#include "core/random/stream.h"
#include "core/reference/reference_backend.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "parallel/zero/zero.h"

namespace edt::test {

using Values = std::vector<float>;

// Sizes of the tensors of each group, which is named "blocks.N".
using Groups = std::vector<std::vector<std::int64_t>>;

constexpr std::int64_t kBlock = static_cast<std::int64_t>(kNormBlock);

// What a rank can get of a bucket: nothing, one block, parts that differ.
inline const Groups kOneBlockEach{{100}, {64, 64, 7}, {4096}};
inline const Groups kUneven{{3 * kBlock + 5}, {10}, {2 * kBlock, 17}, {kBlock, kBlock, 1}};
inline const Groups kOneGroup{{5 * kBlock}};

inline std::deque<Parameter> parameters_of(const Groups& groups) {
  std::deque<Parameter> parameters;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t t = 0; t < groups[g].size(); ++t) {
      parameters.push_back({.name = fmt::format("blocks.{}.{}", g, t), .shape = {groups[g][t]}});
    }
  }
  return parameters;
}

inline std::vector<Parameter*> pointers_to(std::deque<Parameter>& parameters) {
  std::vector<Parameter*> pointers;
  for (Parameter& parameter : parameters) pointers.push_back(&parameter);
  return pointers;
}

inline FlatLayout layout_of(const Groups& groups) {
  std::deque<Parameter> parameters = parameters_of(groups);
  return FlatLayout::of(pointers_to(parameters), kBlock);
}

// Normal values in the elements of the tensors, zero between them.
inline Values random_values(const FlatLayout& layout, std::uint32_t seed) {
  Values all(static_cast<std::size_t>(layout.size()));
  for (std::size_t t = 0; t < layout.tensors().size(); ++t) {
    const FlatTensor& tensor = layout.tensor(t);
    random::fill_normal({.seed = seed, .sample = static_cast<std::uint32_t>(t)},
                        std::span(all).subspan(static_cast<std::size_t>(tensor.offset),
                                               static_cast<std::size_t>(tensor.elements())));
  }
  return all;
}

inline std::span<const float> part(std::span<const float> values, std::int64_t begin,
                                   std::int64_t count) {
  return values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
}

inline Values packed(std::span<const float> values, const FlatShard& shard) {
  Values parts;
  for (const FlatShard::Part& one : shard.parts) {
    const auto range = part(values, one.range.begin, one.range.elements());
    parts.insert(parts.end(), range.begin(), range.end());
  }
  return parts;
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

// The definition: halve the leaves, sum each half, add.
inline Values tree_sum(int first, int count, const std::function<Values(int)>& leaf) {
  if (count == 1) return leaf(first);
  Values left = tree_sum(first, count / 2, leaf);
  const Values right = tree_sum(first + count / 2, count - count / 2, leaf);
  for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  return left;
}

// The sum over all micro-batches: runs of a power of two, an odd number of them, from left to
// right.
inline Values sum_of_all(int count, const std::function<Values(int)>& leaf) {
  int run = 1;
  while (count % (2 * run) == 0) run *= 2;
  Values sum = tree_sum(0, run, leaf);
  for (int first = run; first < count; first += run) {
    const Values next = tree_sum(first, run, leaf);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += next[i];
  }
  return sum;
}

// Whether a parameter's values are those of `flat`, as kernels read them in `dtype`.
inline bool holds(const Parameter& parameter, DType dtype, const FlatTensor& tensor,
                  std::span<const float> flat) {
  if (parameter.value.data == nullptr || parameter.value.dtype != dtype) return false;
  const auto expected = part(flat, tensor.offset, tensor.elements());
  if (dtype == DType::kFloat32) return same_bits(parameter.value.span<float>(), expected);
  const auto values = parameter.value.span<bfloat16>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (float(values[i]) != float(bfloat16(expected[i]))) return false;
  }
  return true;
}

// One rank's half of ZeRO by hand: plan, queue and what gradients and weights share.
struct Rank {
  Rank(const Groups& groups, Communicator& communicator, const ZeroConfig& settings)
      : config(settings),
        parameters(parameters_of(groups)),
        pointers(pointers_to(parameters)),
        plan(FlatLayout::of(pointers, kBlock), config, communicator.rank(), communicator.size()),
        device(make_reference_backend()),
        queue(*device, config.overlap && communicator.size() > 1),
        shard_ranks(plan.groups().size > 1 ? communicator.neighbours(plan.groups().size, "shard")
                                           : nullptr),
        replicas(plan.groups().count > 1 ? communicator.counterparts(plan.groups().size, "replicas")
                                         : nullptr),
        context{plan, config, pointers, shard_ranks.get(), replicas.get(), queue, *device} {
    communicator.set_timeout(Seconds(60));  // ranks that disagree fail, they do not hang
  }
  ~Rank() { queue.stop(); }

  const FlatLayout& layout() const { return plan.layout(); }
  // That it has entered with its group and with its replicas.
  std::uint64_t collectives() const {
    return (shard_ranks ? shard_ranks->collectives() : 0) +
           (replicas ? replicas->collectives() : 0);
  }
  std::size_t buckets() const { return plan.buckets().size(); }

  ZeroConfig config;
  std::deque<Parameter> parameters;
  std::vector<Parameter*> pointers;
  BucketPlan plan;
  std::unique_ptr<Backend> device;
  CommunicationQueue queue;
  std::unique_ptr<Communicator> shard_ranks, replicas;
  ZeroContext context;
};

}  // namespace edt::test
