#include "launcher/diff/values.h"

#include <cmath>

namespace edt {
namespace {

// All elements of the tensor; those that no part has are NaN. Nothing where values are not kept.
std::optional<std::vector<double>> values_of(std::span<const RecordedPart> parts) {
  std::vector<double> all;
  for (const auto& [file, tensor] : parts) {
    if (tensor->at < 0) return std::nullopt;
    all.resize(static_cast<std::size_t>(tensor->shape.elements()),
               std::numeric_limits<double>::quiet_NaN());
    const std::vector<double> some = read_values(*file, *tensor);
    std::copy(some.begin(), some.end(), all.begin() + tensor->begin);
  }
  return all;
}

bool is_same(double a, double b) {
  return a == b ? std::signbit(a) == std::signbit(b) : std::isnan(a) && std::isnan(b);
}

}  // namespace

std::optional<LargestDifference> largest_difference(std::span<const RecordedPart> a,
                                                    std::span<const RecordedPart> b) {
  if (a.empty() || b.empty() || a.front().tensor->shape != b.front().tensor->shape) {
    return std::nullopt;
  }
  const auto first = values_of(a), second = values_of(b);
  if (!first || !second) return std::nullopt;
  LargestDifference largest{.of = static_cast<std::int64_t>(first->size())};
  for (std::size_t i = 0; i < first->size(); ++i) {
    const double x = (*first)[i], y = (*second)[i];
    if (is_same(x, y)) continue;
    const double difference = std::abs(x - y);
    const bool is_larger =
        std::isnan(difference) ? !std::isnan(largest.difference) : difference > largest.difference;
    if (largest.different++ == 0 || is_larger) {
      largest.difference = difference;
      largest.at = static_cast<std::int64_t>(i);
      largest.values = {x, y};
    }
  }
  return largest;
}

}  // namespace edt
