// How a file of weights names the tensors of a model.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/storage/safetensors.h"
#include "parallel/checkpoint/state.h"

namespace edt {

// A tensor as a file has it: in equal parts along its first axis, in this order; one part is the
// tensor. Some files repeat the parts under further names.
struct NamedTensor {
  std::vector<std::string> parts;
  std::vector<std::vector<std::string>> copies{};  // each with as many names as there are parts
};

// Parts and copies.
std::vector<std::string> all_names(const NamedTensor& tensor);

// One for each tensor of the model, in its order.
struct TensorNames {
  std::string scheme;  // "published"
  std::vector<NamedTensor> tensors;
};

// Each under its own name, in one part.
TensorNames published_names(std::span<const LogicalTensor> tensors);

// Names of `file` that begin alike and go on as in a scheme.
struct NamesFound {
  std::size_t scheme = 0;  // of those that were looked for
  std::string prefix;      // before all names, with its dot: "ema.module."; "": nothing
  std::size_t count = 0;   // of the scheme's names
  bool complete = false;   // all of them
};

// Under which prefixes the names of the schemes are in the file, the most complete first; at least
// half of the names have to be there. Tensors for which `is_needed` is false do not count.
std::vector<NamesFound> find_names(const SafetensorsReader& file,
                                   std::span<const TensorNames> schemes,
                                   const std::vector<bool>& is_needed);

}  // namespace edt
