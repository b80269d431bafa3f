// E-MMDiT among the families of models (model/family.h).
#pragma once

#include "model/emmdit/config.h"
#include "model/family.h"

namespace edt {

struct EmmditFamily {
  static constexpr const char* kName = "E-MMDiT";
  using Config = EmmditConfig;

  static std::vector<EmmditConfig> presets();
  static void resize(EmmditConfig& config, const SizeOptions& sizes);
  static std::unique_ptr<Model> make(const EmmditConfig& config, ModelUse use,
                                     const ModelPlace& place);

  struct Options {
    std::vector<std::string> regions;  // empty: those of the preset
    std::optional<std::int64_t> position_grid;

    void declare(OptionSet& options);
    void apply(EmmditConfig& config) const;
  };
  using Inference = NoOptions<EmmditFamily>;
};

}  // namespace edt
