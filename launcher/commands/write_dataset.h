// What all commands that write a data set do.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "data/progress.h"
#include "data/writer.h"
#include "launcher/command.h"

namespace edt {

inline constexpr const char* kReplaceHelp =
    "make the set anew: the shards that are there are removed when the first new one is complete";

inline constexpr const char* kHogHelp =
    "store histograms of oriented gradients and mean colours around each token beside the latents, "
    "under the name hog: features to align with that need no other network";

// Runs work that writes a data set, with progress, and says what has become of it. A signal ends it
// between two samples: whole shards stay, and the same command continues behind them.
int write_dataset(CommandContext& context, const std::string& label,
                  const std::filesystem::path& out,
                  const std::function<data::WriteReport(const data::Progress&)>& work);

// What has become of a set, for people.
void print_written(CommandContext& context, const std::filesystem::path& out,
                   const data::WriteReport& report);

}  // namespace edt
