// DiT among the families of models (model/family.h), and SiT, which is the same network.
#pragma once

#include "model/dit/config.h"
#include "model/family.h"

namespace edt {

struct DitFamily {
  static constexpr const char* kName = "DiT";
  using Config = DitConfig;

  static std::vector<DitConfig> presets();
  static void resize(DitConfig& config, const SizeOptions& sizes);
  static std::unique_ptr<Model> make(const DitConfig& config, ModelUse use,
                                     const ModelPlace& place);

  using Options = NoOptions<DitFamily>;
  using Inference = NoOptions<DitFamily>;
};

}  // namespace edt
