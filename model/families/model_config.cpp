#include "model/families/model_config.h"

#include <algorithm>

#include "core/base/error.h"

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

std::int64_t ModelConfig::blocks() const {
  return std::visit([](const auto& config) { return config.blocks(); }, any_);
}

TokenSite ModelConfig::site_after(std::int64_t after, std::string_view option) const {
  require<UsageError>(1 <= after && after <= blocks(), "model",
                      "{} is {}, {} has {} blocks: 1 to {} can be read", option, after, name(),
                      blocks(), blocks());
  return std::visit([&](const auto& config) { return config.site_after(after); }, any_);
}

std::optional<BlockUnits> ModelConfig::units_of(std::int64_t block) const {
  const auto find = [&](const auto& config) -> std::optional<BlockUnits> {
    if constexpr (requires { config.units_of(block); }) return config.units_of(block);
    return std::nullopt;
  };
  return std::visit(find, any_);
}

std::vector<std::int64_t> ModelConfig::stage_ends(std::int64_t parts) const {
  EDT_ASSERT(parts >= 1 && parts <= blocks());
  const auto find = [&](const auto& config) {
    std::vector<std::int64_t> ends;
    if constexpr (requires { config.depths; }) {
      if (config.depths.size() > 1) {
        for (const std::int64_t depth : config.depths) {
          ends.push_back(depth + (ends.empty() ? 0 : ends.back()));
        }
        return ends;
      }
    }
    for (std::int64_t part = 1; part <= parts; ++part) {
      ends.push_back(part * config.blocks() / parts);
    }
    return ends;
  };
  return std::visit(find, any_);
}

std::int64_t ModelConfig::early_block(std::int64_t of_few, std::int64_t of_many) const {
  constexpr std::int64_t kMany = 24;
  const auto find = [&](const auto& config) {
    if constexpr (requires { config.depths; }) {
      if (config.depths.size() > 1) return config.depths[0] + config.depths[1];
    }
    if constexpr (requires { config.groups; }) return config.groups.front();
    return std::min(config.blocks() < kMany ? of_few : of_many, config.blocks());
  };
  return std::visit(find, any_);
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
