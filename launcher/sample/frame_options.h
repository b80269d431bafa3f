// What `edt sample` tells a network that reads a condition of each frame.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/options/options.h"
#include "data/dataset.h"
#include "launcher/sample/trained_data.h"

namespace edt {

// Samples of a data set, one for each label and of its class, in the order of the set; of a class
// with too few they come again. Of `no_class` any. DataError naming a class that has none.
std::vector<std::uint64_t> samples_of_classes(const data::Dataset& dataset,
                                              std::span<const std::int32_t> labels,
                                              std::int64_t no_class);

struct FrameOptions {
  std::string from = "set";  // "set:12", or a file of arrays

  void declare(OptionSet& options);
  // UsageError where it was given, and the network reads none; where there are several windows to
  // be made, which they do not tell apart.
  void check(const OptionSet& set, const ModelConfig& model, bool extends) const;
  // The file that is read; empty: none.
  std::filesystem::path input() const;
  bool is_of_set() const { return from == "set" || from.starts_with("set:"); }

  // Conditions [N, frames, numbers] of as many samples as there are labels; none where the network
  // reads none. UsageError or DataError, with both shapes, for those that are not the model's.
  std::vector<float> read(const ModelConfig& model, const TrainedData& data,
                          std::span<const std::int32_t> labels) const;
  // The samples of the data set that they are of; none: they are of a file.
  std::vector<std::uint64_t> samples(const data::Dataset& dataset,
                                     std::span<const std::int32_t> labels,
                                     std::int64_t no_class) const;
};

}  // namespace edt
