// EDT among the families of models (model/family.h).
#pragma once

#include "model/edt/config.h"
#include "model/family.h"

namespace edt {

struct EdtFamily {
  static constexpr const char* kName = "EDT";
  using Config = EdtConfig;

  // "EDT-S/2", "EDT-B/2", "EDT-XL/2" as released, and "EDT-Ti/2", a small one for first steps and
  // tests.
  static std::vector<EdtConfig> presets();
  static void resize(EdtConfig& config, const SizeOptions& sizes);
  static std::unique_ptr<Model> make(const EdtConfig& config, ModelUse use,
                                     const ModelPlace& place);

  struct Options {
    std::optional<bool> mid_mask;
    std::optional<std::vector<float>> first_down_mask, later_down_mask, mid_mask_range;
    std::optional<std::vector<std::int64_t>> amm_blocks;

    void declare(OptionSet& options);
    void apply(EdtConfig& config) const;
  };

  // The attention modulation matrix is used when sampling alone.
  struct Inference {
    bool amm = true;
    std::optional<std::vector<std::int64_t>> amm_blocks;

    void declare(OptionSet& options);
    void apply(EdtConfig& config) const;
  };
};

}  // namespace edt
