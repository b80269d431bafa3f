// A page of plots: sampled sequences beside those of the data set.
#pragma once

#include <filesystem>
#include <span>

#include "launcher/sample/sequence_output.h"

namespace edt {

// How many of a request are plotted: its first ones.
inline constexpr std::size_t kPlottedSequences = 12;

// `made`: as the model makes them, [N, channels, frames].
void write_sequence_page(const std::filesystem::path& path, const SequenceContext& context,
                         std::span<const float> made);

}  // namespace edt
