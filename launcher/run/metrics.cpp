#include "launcher/run/metrics.h"

#include <nlohmann/json.hpp>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/json/json_text.h"
#include "launcher/run/metrics_scan.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

// What cannot be kept in its place is kept beside it: nothing that was measured is lost.
void keep_copy(const std::filesystem::path& file) {
  const std::filesystem::path copy = free_name(file);
  std::filesystem::copy_file(file, copy);
  log::warning("[metrics] {} has more than the records of one run: as it was it is kept in {}",
               file.string(), copy.filename().string());
}

// Bytes of the records before `first_step`.
std::uint64_t bytes_before(const std::filesystem::path& file, std::int64_t first_step) {
  const MetricsScan scan = scan_metrics(file, first_step);
  if (scan.bad_lines > 0) {
    log::warning("[metrics] {} has {} that cannot be read, in its middle: they stay", file.string(),
                 counted(static_cast<std::uint64_t>(scan.bad_lines), "line"));
  }
  if (scan.has_strange_end) keep_copy(file);
  if (first_step > 1 && scan.last_step < 0) {
    log::warning("[metrics] {} {}, resuming at step {}: the steps before are lost", file.string(),
                 scan.is_there ? "has no records" : "is not there", first_step);
  } else if (scan.bytes > 0 && scan.last_step != first_step - 1) {
    log::warning("[metrics] {} ends at step {}, resuming at step {}: the steps between are lost",
                 file.string(), scan.last_step, first_step);
  }
  return scan.bytes;
}

}  // namespace

std::filesystem::path free_name(const std::filesystem::path& file) {
  for (int number = 1;; ++number) {
    std::filesystem::path name = file;
    name += fmt::format(".{}", number);
    if (!std::filesystem::exists(name)) return name;
  }
}

MetricsWriter::MetricsWriter(const std::filesystem::path& file, std::int64_t first_step,
                             std::function<void()> may_write)
    : file_(file, bytes_before(file, first_step), std::move(may_write)), next_step_(first_step) {}

void MetricsWriter::write(std::int64_t step, const nlohmann::ordered_json& values) {
  EDT_ASSERT(step >= next_step_);
  nlohmann::ordered_json record{{"step", step}};
  record.update(values);
  file_.append(dump_json(record) + '\n');
  next_step_ = step + 1;
}

}  // namespace edt
