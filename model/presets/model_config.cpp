#include "model/presets/model_config.h"

#include "core/base/error.h"
#include "model/dit/dit_model.h"
#include "model/edt/edt_model.h"
#include "model/mdtv2/mdtv2_model.h"

namespace edt {

const CommonConfig& ModelConfig::common() const {
  return std::visit([](const auto& config) -> const CommonConfig& { return config; }, any_);
}

CommonConfig& ModelConfig::common() {
  return std::visit([](auto& config) -> CommonConfig& { return config; }, any_);
}

void ModelConfig::validate() const {
  std::visit([](const auto& config) { config.validate(); }, any_);
}

void ModelConfig::check_image_size(std::int64_t pixels) const {
  std::visit([&](const auto& config) { config.check_image_size(pixels); }, any_);
}

std::vector<int> ModelConfig::tensor_degrees() const {
  return std::visit([](const auto& config) { return config.tensor_degrees(); }, any_);
}

void ModelConfig::fix_mask_ratio() {
  const auto fix = [](auto& config) {
    if constexpr (requires { config.mask_ratio; }) {
      const auto mean = static_cast<float>(config.mask_ratio.mean());
      config.mask_ratio = {mean, mean};
    }
  };
  std::visit(fix, any_);
}

bool ModelConfig::has_masked_pass() const { return as<DitConfig>() == nullptr; }

std::vector<std::int64_t> ModelConfig::amm_blocks() const {
  const auto* edt = as<EdtConfig>();
  return edt != nullptr ? edt->amm_blocks : std::vector<std::int64_t>{};
}

std::unique_ptr<Model> make_model(const ModelConfig& config, Device& device, DType dtype,
                                  TensorGroup ranks) {
  struct Maker {
    Device& device;
    DType dtype;
    TensorGroup ranks;
    std::unique_ptr<Model> operator()(const EdtConfig& c) const {
      return std::make_unique<EdtModel>(c, device, dtype, ranks);
    }
    std::unique_ptr<Model> operator()(const Mdtv2Config& c) const {
      return std::make_unique<Mdtv2Model>(c, device, dtype, ranks);
    }
    std::unique_ptr<Model> operator()(const DitConfig& c) const {
      return std::make_unique<DitModel>(c, device, dtype, ranks);
    }
  };
  return std::visit(Maker{device, dtype, ranks}, config.any());
}

}  // namespace edt
