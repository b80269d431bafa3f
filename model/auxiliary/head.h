// Small networks that read tokens for a companion: linear maps with SiLU between them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/blocks/modules.h"

namespace edt {

struct MlpHead {
  std::vector<Linear> layers;

  // Maps widths[i] -> widths[i + 1], each under its name. Every tensor rank has all of it.
  static MlpHead make(ParameterList& list, const std::vector<std::string>& names,
                      const std::vector<std::int64_t>& widths);
  // [B, T, first width] -> [B, T, last width]
  Var operator()(Tape& tape, const Var& tokens) const;
};

// Names of linear maps with an activation between each two, as torch.nn.Sequential counts them:
// prefix.0, prefix.2, ...
std::vector<std::string> sequential_names(const std::string& prefix, std::int64_t layers);

}  // namespace edt
