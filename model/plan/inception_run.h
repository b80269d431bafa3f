// FID's Inception network over memory that is not there: what it would take.
#pragma once

#include <cstddef>
#include <filesystem>

namespace edt {

// Bytes of its weights, as the processor's backend lays them out, and of activations.
std::size_t dry_run_of_inception(const std::filesystem::path& weights);

}  // namespace edt
