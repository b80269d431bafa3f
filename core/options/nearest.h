// The nearest known name to a misspelt one, for error messages.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace edt {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`
// (optimal string alignment distance).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate at the smallest distance, unless it is too far away to be what was meant.
std::optional<std::string> nearest_name(std::string_view name,
                                        std::span<const std::string> candidates);

// "; did you mean 'x'?" or nothing.
std::string suggestion(std::string_view name, std::span<const std::string> candidates,
                       std::string_view prefix = "");

}  // namespace edt
