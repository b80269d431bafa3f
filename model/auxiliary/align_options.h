// The section [align] and one for each companion: what trains beside the denoising loss.
#pragma once

#include <string>
#include <vector>

#include "model/auxiliary/auxiliary_config.h"

namespace edt {

class OptionSet;

struct AlignOptions {
  std::vector<std::string> with;
  LatentAlignmentConfig latent;

  void declare(OptionSet& options);
  AuxiliaryConfig resolve() const;

 private:
  void declare_latent(OptionSet& options);
};

}  // namespace edt
