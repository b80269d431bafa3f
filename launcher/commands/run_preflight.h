// Space for the checkpoints of a run that is not running here: known from its configuration.
#pragma once

#include <filesystem>
#include <optional>

#include "launcher/train/disk_preflight.h"

namespace edt {

// Of the run directory `run`, which has config.ini, or train.ini of edt slurm, or nothing else that
// this could be asked of. As many saves as there are until old ones go.
std::optional<DiskPreflight> preflight_of_run(const std::filesystem::path& run);

}  // namespace edt
