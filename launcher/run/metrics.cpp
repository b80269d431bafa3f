#include "launcher/run/metrics.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/base/assert.h"
#include "core/base/log.h"

namespace edt {
namespace {

std::optional<std::int64_t> step_of(const std::string& line) {
  const auto record = nlohmann::json::parse(line, nullptr, false);
  if (!record.is_object()) return std::nullopt;
  const auto step = record.find("step");
  if (step == record.end() || !step->is_number_integer()) return std::nullopt;
  return step->get<std::int64_t>();
}

// Bytes of the records before `first_step`: the whole lines at the start of the file whose steps
// increase and stay below it.
std::uint64_t bytes_before(const std::filesystem::path& file, std::int64_t first_step) {
  std::ifstream stream(file, std::ios::binary);
  std::uint64_t bytes = 0;
  std::int64_t last_step = -1;
  for (std::string line; std::getline(stream, line);) {
    if (stream.eof()) break;  // no newline: torn
    const auto step = step_of(line);
    if (!step || *step <= last_step || *step >= first_step) break;
    last_step = *step;
    bytes += line.size() + 1;
  }
  if (bytes > 0 && last_step != first_step - 1) {
    log::warning("[metrics] {} ends at step {}, resuming at step {}: the steps between are lost",
                 file.string(), last_step, first_step);
  }
  return bytes;
}

}  // namespace

MetricsWriter::MetricsWriter(const std::filesystem::path& file, std::int64_t first_step)
    : file_(file, bytes_before(file, first_step)), next_step_(first_step) {}

void MetricsWriter::write(std::int64_t step, const nlohmann::ordered_json& values) {
  EDT_ASSERT(step >= next_step_);
  nlohmann::ordered_json record{{"step", step}};
  record.update(values);
  file_.append(record.dump() + '\n');
  next_step_ = step + 1;
}

}  // namespace edt
