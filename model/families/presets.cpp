#include "model/families/presets.h"

#include <fmt/ranges.h>

#include "core/base/error.h"

namespace edt {
namespace {

std::vector<ModelConfig> presets() {
  std::vector<ModelConfig> all;
  for_each_family([&](auto family) {
    for (auto& config : family.presets()) all.emplace_back(std::move(config));
  });
  return all;
}

}  // namespace

ModelConfig model_preset(std::string_view name) {
  for (const ModelConfig& config : presets()) {
    if (config.name() == name) return config;
  }
  fail<UsageError>("model", "model.preset is {}, presets are {}", name,
                   fmt::join(preset_names(), ", "));
}

EdtConfig edt_preset(std::string_view name) {
  const ModelConfig config = model_preset(name);
  const auto* edt = config.as<EdtConfig>();
  require<UsageError>(edt != nullptr, "model", "{} is not an EDT", name);
  return *edt;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const ModelConfig& config : presets()) names.push_back(config.name());
  return names;
}

}  // namespace edt
