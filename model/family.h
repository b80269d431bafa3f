// What every family of models has: a struct like EdtFamily (model/edt/family.h) in its folder,
// named once more in the list of model/families/families.h.
//
//   kName      "EDT", as messages call it
//   Config     a CommonConfig with validate(), grid_step(), tensor_degrees(), passes(), blocks()
//   and
//              site_after()
//   presets()  the published sizes
//   resize()   a preset with other depths, widths and heads
//   make()     a model, or the part of it that one of several tensor ranks holds
//   Options    its part of [model]: declare() and apply() to a configuration
//   Inference  its part of what sampling can be told, likewise
//
// Where a configuration has sampling_facts(), files of samples keep them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/model.h"

namespace edt {

class OptionSet;

// What a model is made for. Some compute otherwise when they sample.
enum class ModelUse { kTraining, kSampling };

// Where a model is: fixed tables lie on `device` in `dtype`, the type of activations.
struct ModelPlace {
  Device& device;
  DType dtype;
  TensorGroup ranks;
};

// Depths, widths and heads for each stage, where they are not those of the preset.
struct SizeOptions {
  std::optional<std::vector<std::int64_t>> depths, widths, heads;
};

// For families whose models have one stage: the only element of `option`. UsageError.
std::int64_t single(const std::vector<std::int64_t>& values, const char* option,
                    const std::string& model);

// UsageError unless `values` are two: low and high.
MaskRange to_range(const std::vector<float>& values, const char* option);

// Of a family that has no options of its own there.
template <class Family>
struct NoOptions {
  void declare(OptionSet&) {}
  void apply(const CommonConfig&) const {}
};

}  // namespace edt
