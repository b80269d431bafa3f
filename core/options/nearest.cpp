#include "core/options/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace edt {
namespace {

std::string_view last_component(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return table[i * width + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({replace, at(i - 1, j) + 1, at(i, j - 1) + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.size(), b.size());
}

std::optional<std::string> nearest_name(std::string_view name,
                                        std::span<const std::string> candidates) {
  constexpr std::size_t kLongestName = 64;  // keeps the table small for hostile input
  if (name.size() > kLongestName) return std::nullopt;
  const std::string* best = nullptr;
  // Of a word of four letters, another one with two of them is another word.
  std::size_t best_distance = name.size() <= 4 ? 2 : std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = &candidate;
      best_distance = distance;
    }
  }
  if (best_distance > 1) {  // an abbreviation, rather
    for (const std::string& candidate : candidates) {
      if (name.size() >= 3 && candidate.starts_with(name)) return candidate;
    }
  }
  if (best) return *best;
  // The right word in the wrong section.
  for (const std::string& candidate : candidates) {
    if (last_component(candidate) == last_component(name)) return candidate;
  }
  return std::nullopt;
}

std::string suggestion(std::string_view name, std::span<const std::string> candidates,
                       std::string_view prefix) {
  const auto nearest = nearest_name(name, candidates);
  return nearest ? fmt::format("; did you mean '{}{}'?", prefix, *nearest) : "";
}

}  // namespace edt
