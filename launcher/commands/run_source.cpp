#include "launcher/commands/run_source.h"

#include "core/base/log.h"
#include "core/storage/access.h"
#include "parallel/checkpoint/checkpoint.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "config.ini";

// A file in the place of the run is named later, with the option; what may not be read is named
// here.
std::vector<CheckpointStore::Entry> checkpoints_of(const fs::path& run) {
  std::error_code ignored;
  if (fs::is_regular_file(run, ignored)) return {};
  return CheckpointStore(run / "checkpoints").entries();
}

// Nothing where no checkpoint has a configuration that can be read.
std::optional<IniFile> configuration_in_checkpoints(const fs::path& run) {
  for (const auto& entry : checkpoints_of(run)) {
    try {
      const std::string text = Checkpoint::open(entry.path).info().configuration;
      return parse_ini(text, (entry.path / kManifestName).string());
    } catch (const Error&) {  // the next older one
    }
  }
  return {};
}

}  // namespace

std::optional<IniFile> configuration_of_run(const fs::path& run, bool names_data,
                                            OptionSet& options, bool speaks) {
  if (names_data && checkpoints_of(run).empty()) return {};
  const fs::path file = run / kName;
  std::string problem;
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    const std::string denied = reading_problem(file);
    require<UsageError>(denied.empty(), "run", "{}", denied);
    try {
      IniFile own = read_ini_file(file);
      if (!own.entries.empty()) {
        options.note(fmt::format("options that are not given are those of {}", file.string()));
        return own;
      }
      problem = fmt::format("{} is empty", file.string());
    } catch (const UsageError& error) {
      problem = error.what();
    }
  }
  auto stored = configuration_in_checkpoints(run);
  require<UsageError>(stored || problem.empty(), "run",
                      "{}, and no checkpoint has a configuration: remove it to begin with the "
                      "options that are given",
                      problem);
  if (!stored) return {};
  if (speaks && !problem.empty()) log::warning("{}", problem);
  options.note(fmt::format("options that are not given are those of {}", stored->name));
  return stored;
}

void refuse_moved_configuration(const OptionSet& options, const fs::path& run) {
  const std::string& origin = options.origin("run.dir");
  const fs::path file = option_type::absolute(origin.substr(0, origin.rfind(':')));
  const fs::path there = file.parent_path();
  std::error_code ignored;
  const bool is_of_a_run = file.filename() == kName && fs::exists(there / "generation", ignored);
  if (!is_of_a_run || there == run || fs::equivalent(there, run, ignored)) return;
  fail<UsageError>("run", "{} lies in {} and says run.dir = {}: --run.dir says which run is meant",
                   origin, there.string(), run.string());
}

}  // namespace edt
