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
  TeacherAlignmentConfig teacher;
  PrototypeAlignmentConfig prototypes;
  FeatureAlignmentConfig features;  // without its arrays:
  std::vector<std::string> arrays;
  std::vector<std::int64_t> dims;  // of each; empty: those of the data set, which is yet to be seen

  void declare(OptionSet& options);
  AuxiliaryConfig resolve() const;

 private:
  void declare_latent(OptionSet& options);
  void declare_teacher(OptionSet& options);
  void declare_features(OptionSet& options);
  void declare_prototypes(OptionSet& options);
};

}  // namespace edt
