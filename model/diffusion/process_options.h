// The section [process]: what the network is trained to undo. Sampling has to know all of it, so
// checkpoints keep it.
#pragma once

#include <string>
#include <vector>

#include "model/diffusion/process.h"

namespace edt {

class OptionSet;

struct ProcessOptions {
  ProcessConfig config;
  bool declared = false;  // else nobody can have said anything, and the preset's holds

  // `flow_presets`: the values of model.preset whose networks were published with a flow.
  void declare(OptionSet& options, const std::vector<std::string>& flow_presets);
  void apply(ProcessConfig& of_preset) const {
    if (declared) of_preset = config;
  }
};

}  // namespace edt
