#include "launcher/commands/write_dataset.h"

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "data/inspect.h"
#include "launcher/signals.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

struct Stopped {};

std::string kept_text(const data::WriteReport& report) {
  if (report.kept == 0) return "";
  if (report.written == 0) return "; all were there already and are kept";
  return fmt::format("; {} of them {} there already and {} kept", report.kept,
                     report.kept == 1 ? "was" : "were", report.kept == 1 ? "is" : "are");
}

}  // namespace

void print_written(CommandContext& context, const std::filesystem::path& out,
                   const data::WriteReport& report) {
  const data::DatasetInfo info = data::describe(out);
  context.note("{}: {} samples of {} x {} x {}, {} classes, {}, {}{}\n", out.string(), info.samples,
               info.description.channels, info.description.height, info.description.width,
               info.description.classes, counted(info.shards, "shard"),
               human_bytes(static_cast<double>(info.bytes)), kept_text(report));
  if (!report.source.empty()) context.note("from {}\n", report.source);
}

int write_dataset(CommandContext& context, const std::string& label,
                  const std::filesystem::path& out,
                  const std::function<data::WriteReport(const data::Progress&)>& work) {
  require_directory(out, "--out");
  data::require_place_for_shards(out);
  const StopSignals signals;
  std::unique_ptr<Progress> progress;
  const auto report = [&](std::uint64_t done, std::uint64_t total) {
    context.run_started = true;
    if (signals.stop_requested()) throw Stopped{};
    if (!progress) {
      Progress::Settings settings{.label = label, .unit = "samples"};
      settings.begin = static_cast<std::int64_t>(done) - 1;
      settings.end = static_cast<std::int64_t>(total);
      settings.style = progress_style(context.quiet);
      progress = std::make_unique<Progress>(settings, context.error);
    }
    progress->update(static_cast<std::int64_t>(done));
  };
  data::WriteReport written;
  try {
    written = work(report);
  } catch (const Stopped&) {
    progress.reset();
    log::warning("{} stopped by {}; the same command continues it", label, signals.signal_name());
    return kStopped;
  } catch (const DataError&) {
    context.run_started = false;  // bad input is that at any sample
    throw;
  }
  progress.reset();
  print_written(context, out, written);
  return kDone;
}

}  // namespace edt
