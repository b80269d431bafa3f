// DiT among the families of models (model/family.h); SiT, which is the same network, and
// LightningDiT, which has blocks of another style.
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

  // What blocks are made of.
  struct Options {
    std::optional<NormForm> norm;
    std::optional<MlpForm> mlp;
    std::optional<HeadNorm> head_norm;
    std::optional<Positions> positions;
    std::optional<bool> shifts;

    void declare(OptionSet& options);
    void apply(DitConfig& config) const;
  };
  using Inference = NoOptions<DitFamily>;
};

}  // namespace edt
