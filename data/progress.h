// How long work reports where it is; a callback may throw to stop it between two pieces.
#pragma once

#include <cstdint>
#include <functional>

namespace edt::data {

// Samples done so far, of all.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

}  // namespace edt::data
