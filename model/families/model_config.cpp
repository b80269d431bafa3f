#include "model/families/model_config.h"

namespace edt {

std::string_view ModelConfig::family() const {
  return std::visit([]<class C>(const C&) -> std::string_view { return FamilyOf<C>::kName; }, any_);
}

const CommonConfig& ModelConfig::common() const {
  return std::visit([](const auto& config) -> const CommonConfig& { return config; }, any_);
}

CommonConfig& ModelConfig::common() {
  return std::visit([](auto& config) -> CommonConfig& { return config; }, any_);
}

void ModelConfig::validate() const {
  std::visit([](const auto& config) { config.validate(); }, any_);
}

GridStep ModelConfig::grid_step() const {
  return std::visit([](const auto& config) { return config.grid_step(); }, any_);
}

std::vector<int> ModelConfig::tensor_degrees() const {
  return std::visit([](const auto& config) { return config.tensor_degrees(); }, any_);
}

PassKinds ModelConfig::passes() const {
  return std::visit([](const auto& config) { return config.passes(); }, any_);
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

std::vector<std::pair<std::string, std::vector<std::int64_t>>> ModelConfig::sampling_facts() const {
  using Facts = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;
  const auto facts_of = [](const auto& config) -> Facts {
    if constexpr (requires { config.sampling_facts(); }) return config.sampling_facts();
    return {};
  };
  return std::visit(facts_of, any_);
}

std::unique_ptr<Model> make_model(const ModelConfig& config, Device& device, DType dtype,
                                  TensorGroup ranks, ModelUse use) {
  const ModelPlace place{device, dtype, ranks};
  const auto make = [&]<class C>(const C& one) { return FamilyOf<C>::make(one, use, place); };
  return std::visit(make, config.any());
}

}  // namespace edt
