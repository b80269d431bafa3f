// MDTv2 among the families of models (model/family.h).
#pragma once

#include "model/family.h"
#include "model/mdtv2/config.h"

namespace edt {

struct Mdtv2Family {
  static constexpr const char* kName = "MDTv2";
  using Config = Mdtv2Config;

  // Those published, and of sequences "MDTv2-Ti/1d", "MDTv2-S/1d" and "MDTv2-B/1d".
  static std::vector<Mdtv2Config> presets();
  static void resize(Mdtv2Config& config, const SizeOptions& sizes);
  static std::unique_ptr<Model> make(const Mdtv2Config& config, ModelUse use,
                                     const ModelPlace& place);

  struct Options {
    std::optional<std::vector<float>> mask_ratio;

    void declare(OptionSet& options);
    void apply(Mdtv2Config& config) const;
  };
  using Inference = NoOptions<Mdtv2Family>;
};

}  // namespace edt
