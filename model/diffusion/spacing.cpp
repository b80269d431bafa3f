#include "model/diffusion/spacing.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"

namespace edt {
namespace {

int parse_count(std::string_view text, std::string_view spacing) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require<UsageError>(error == std::errc() && end == text.data() + text.size() && value >= 1,
                      "spacing", "'{}' is neither N, N,N,... nor ddimN with N >= 1", spacing);
  return value;
}

std::vector<int> parse_counts(std::string_view spacing) {
  std::vector<int> counts;
  for (std::size_t begin = 0; begin <= spacing.size();) {
    const std::size_t end = std::min(spacing.find(',', begin), spacing.size());
    counts.push_back(parse_count(spacing.substr(begin, end - begin), spacing));
    begin = end + 1;
  }
  return counts;
}

std::vector<int> strided(int steps, int count) {
  for (int stride = 1; stride < steps || stride == 1; ++stride) {
    if ((steps + stride - 1) / stride != count) continue;
    std::vector<int> timesteps;
    for (int t = 0; t < steps; t += stride) timesteps.push_back(t);
    return timesteps;
  }
  fail<UsageError>("spacing", "ddim{}: no integer stride takes exactly {} of {} timesteps", count,
                   count, steps);
}

// `count` of the `size` timesteps from `first` on; ties round to even, as in Python.
void append_section(int first, int size, int count, std::vector<int>& timesteps) {
  require<UsageError>(count <= size, "spacing", "cannot take {} of a section of {} timesteps",
                      count, size);
  const double stride = count == 1 ? 1 : static_cast<double>(size - 1) / (count - 1);
  double position = 0;
  for (int i = 0; i < count; ++i) {
    timesteps.push_back(first + static_cast<int>(std::nearbyint(position)));
    position += stride;
  }
}

}  // namespace

std::vector<int> space_timesteps(int steps, std::string_view spacing) {
  constexpr std::string_view kStrided = "ddim";
  if (spacing.starts_with(kStrided)) {
    return strided(steps, parse_count(spacing.substr(kStrided.size()), spacing));
  }
  const std::vector<int> counts = parse_counts(spacing);
  const int sections = static_cast<int>(counts.size());
  std::vector<int> timesteps;
  int first = 0;
  for (int i = 0; i < sections; ++i) {
    const int size = steps / sections + (i < steps % sections ? 1 : 0);
    append_section(first, size, counts[static_cast<std::size_t>(i)], timesteps);
    first += size;
  }
  return timesteps;
}

}  // namespace edt
