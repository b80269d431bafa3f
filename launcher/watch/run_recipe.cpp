#include "launcher/watch/run_recipe.h"

#include <charconv>

#include "core/base/error.h"
#include "core/options/ini.h"

namespace edt {
namespace {

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 ? value : 0;
}

}  // namespace

std::optional<RunRecipe> read_recipe(const std::filesystem::path& config) {
  std::error_code ignored;
  if (!std::filesystem::exists(config, ignored)) return {};
  RunRecipe recipe;
  try {
    for (const IniEntry& entry : read_ini_file(config).entries) {
      if (entry.key == "model.preset") recipe.model = entry.value;
      if (entry.key == "run.dtype") recipe.dtype = entry.value;
      if (entry.key == "run.device") recipe.device = entry.value;
      if (entry.key == "train.steps") recipe.steps = number(entry.value);
      if (entry.key == "train.batch") recipe.batch = number(entry.value);
      if (entry.key == "parallel.zero") recipe.zero = entry.value;
      if (entry.key == "parallel.tensor") recipe.tensor_ranks = entry.value;
    }
  } catch (const Error&) {
    return {};
  }
  return recipe;
}

}  // namespace edt
