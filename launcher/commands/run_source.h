// The configuration that a run directory holds: the first source of the options of a start there.
#pragma once

#include <filesystem>
#include <optional>

#include "core/options/options.h"

namespace edt {

// From RUN/config.ini, or, where that is lost, empty or damaged, from the newest checkpoint that
// has one; nothing where there is none of them. Nor for a beginning, which it is where the start
// `names_data` and there is no checkpoint: what an earlier attempt was told does not count.
// Notes in `options` which it was; warnings are for the rank that `speaks`. UsageError where
// config.ini is damaged and no checkpoint helps.
std::optional<IniFile> configuration_of_run(const std::filesystem::path& run, bool names_data,
                                            OptionSet& options, bool speaks);

// UsageError where the run directory is named by nothing but the config.ini of a run that lies
// elsewhere now: it was moved or copied, and the run that it names may be another one.
void refuse_moved_configuration(const OptionSet& options, const std::filesystem::path& run);

}  // namespace edt
