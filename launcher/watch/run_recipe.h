// What a run was told to do, as far as it matters to who looks at it: from its config.ini.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace edt {

struct RunRecipe {
  std::string model, dtype, device;
  std::int64_t steps = 0;  // 0: unknown
  std::int64_t batch = 0;
  std::string zero, tensor_ranks;
};

// Nothing while there is no configuration, or none that can be read.
std::optional<RunRecipe> read_recipe(const std::filesystem::path& config);

}  // namespace edt
