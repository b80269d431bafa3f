// The section [process]: what the network is trained to undo. Sampling has to know all of it, so
// checkpoints keep it.
#pragma once

#include <string>
#include <vector>

#include "model/diffusion/process.h"

namespace edt {

class OptionSet;

// Values of model.preset whose networks were published with another process than the default.
struct ProcessPresets {
  std::vector<std::string> flow;
  std::vector<std::string> told_noise;  // as kNoisyEnd at the noise's end
};

struct ProcessOptions {
  // What networks of ProcessPresets::told_noise are told there.
  static constexpr int kNoisyEnd = 1000;

  ProcessConfig config;
  bool declared = false;  // else nobody can have said anything, and the preset's holds

  void declare(OptionSet& options, const ProcessPresets& presets);
  void apply(ProcessConfig& of_preset) const {
    if (declared) of_preset = config;
  }
};

}  // namespace edt
