#include "parallel/checkpoint/compare.h"

#include <fmt/ranges.h>

#include <bit>

namespace edt {
namespace {

std::string held_by(const Checkpoint& checkpoint) {
  std::string text = fmt::format("{}", fmt::join(checkpoint.manifest().arrays, " "));
  for (const StoredExtra& extra : checkpoint.manifest().extras) text += " " + extra.name;
  return text;
}

// First element whose bits differ; the size where there is none.
std::size_t first_difference(const std::vector<float>& a, const std::vector<float>& b) {
  std::size_t i = 0;
  while (i < a.size() && std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) {
    ++i;
  }
  return i;
}

// Of one tensor of one array, which is tensor `other` of b; empty: none.
std::string compare_tensor(const Checkpoint& a, const Checkpoint& b, const std::string& array,
                           std::size_t tensor, std::size_t other) {
  const auto left = a.read_tensor(array, tensor), right = b.read_tensor(array, other);
  const std::size_t at = first_difference(left, right);
  if (at == left.size()) return {};
  return fmt::format("{} of {}, element {}: {} and {}", array, a.manifest().tensors[tensor].name,
                     at, left[at], right[at]);
}

}  // namespace

CheckpointComparison compare(const Checkpoint& a, const Checkpoint& b) {
  CheckpointComparison result;
  if (a.info().step != b.info().step) {
    result.difference = fmt::format("step {} and step {}", a.info().step, b.info().step);
    return result;
  }
  if (held_by(a) != held_by(b)) {
    result.difference = fmt::format("one holds {}, the other {}", held_by(a), held_by(b));
    return result;
  }
  const std::vector<std::size_t> others = b.find_tensors(a.manifest().tensors);
  for (const std::string& array : a.manifest().arrays) {
    for (std::size_t t = 0; t < a.manifest().tensors.size(); ++t) {
      result.difference = compare_tensor(a, b, array, t, others[t]);
      if (!result.difference.empty()) return result;
      result.values += a.manifest().tensors[t].shape.elements();
    }
    ++result.arrays;
  }
  for (const StoredExtra& extra : a.manifest().extras) {
    if (a.extra(extra.name) != b.extra(extra.name)) {
      result.difference = extra.name;
      return result;
    }
    ++result.extras;
  }
  return result;
}

}  // namespace edt
