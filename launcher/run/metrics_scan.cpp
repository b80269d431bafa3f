#include "launcher/run/metrics_scan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/text_lines.h"

namespace edt {
namespace {

struct Record {
  std::int64_t step = 0, saved = 0, generation = 0;
  std::optional<double> loss;
};

std::int64_t integer(const nlohmann::json& record, const char* name) {
  const auto value = record.find(name);
  const bool is_given = value != record.end() && value->is_number_integer();
  return is_given ? std::max<std::int64_t>(value->get<std::int64_t>(), 0) : 0;
}

std::optional<Record> record_of(const std::string& line) {
  const auto json = try_parse_json(line);
  if (!json.is_object()) return std::nullopt;
  const auto step = json.find("step");
  if (step == json.end() || !step->is_number_integer()) return std::nullopt;
  Record record{.step = step->get<std::int64_t>(),
                .saved = integer(json, "saved"),
                .generation = integer(json, "generation")};
  const auto loss = json.find("loss");
  if (loss != json.end() && loss->is_number()) record.loss = loss->get<double>();
  return record;
}

// What cannot be looked at is not taken for missing: it would be begun anew.
bool is_there(const std::filesystem::path& file) {
  std::error_code code;
  const auto status = std::filesystem::status(file, code);
  return status.type() != std::filesystem::file_type::not_found;
}

}  // namespace

MetricsScan scan_metrics(const std::filesystem::path& file, std::int64_t first_step) {
  MetricsScan scan;
  scan.is_there = is_there(file);
  if (!scan.is_there) return scan;
  TextLines lines(file);
  std::uint64_t end = 0;
  std::int64_t bad = 0;
  bool is_later = false;
  for (std::string line; lines.next(line);) {
    if (!lines.ended()) break;  // torn
    end += line.size() + 1;
    const auto record = record_of(line);
    if (record) scan.saved = std::max(scan.saved, record->saved);
    if (record && record->step >= first_step) {
      is_later = true;
    } else if (!record || is_later || record->step <= scan.last_step) {
      ++bad;
    } else {
      scan.last_step = record->step;
      scan.loss = record->loss;
      scan.bytes = end;
      scan.bad_lines = bad;
    }
  }
  scan.has_strange_end = bad > scan.bad_lines;
  return scan;
}

std::uint64_t last_generation(const std::filesystem::path& file) {
  constexpr std::uint64_t kEnd = 1 << 16;
  if (!std::filesystem::is_regular_file(file)) return 0;
  const std::uint64_t size = std::filesystem::file_size(file);
  TextLines lines(file);
  lines.go_to(size - std::min(size, kEnd));
  std::int64_t generation = 0;
  for (std::string line; lines.next(line);) {
    if (const auto record = record_of(line)) generation = std::max(generation, record->generation);
  }
  return static_cast<std::uint64_t>(generation);
}

}  // namespace edt
