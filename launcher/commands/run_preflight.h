// A run that is not running here, as its configuration says, and space for its checkpoints.
#pragma once

#include <filesystem>
#include <optional>

#include "launcher/recipe/train_config.h"
#include "launcher/train/disk_preflight.h"

namespace edt {

// The text of the configuration of the run directory `run`: its config.ini, or train.ini of edt
// slurm; nothing where it has none.
struct ConfigurationText {
  std::string file, text;
};
std::optional<ConfigurationText> configuration_text_of(const std::filesystem::path& run);
TrainConfig read_configuration(const ConfigurationText& text);
// The number of classes of this data, or as many as are usual.
std::int64_t classes_of(const std::filesystem::path& data);

// As many saves as there are until old ones go.
std::optional<DiskPreflight> preflight_of_run(const std::filesystem::path& run);

}  // namespace edt
