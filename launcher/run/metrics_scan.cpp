#include "launcher/run/metrics_scan.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"

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

}  // namespace

MetricsScan scan_metrics(const std::filesystem::path& file, std::int64_t first_step) {
  MetricsScan scan;
  std::ifstream stream(file, std::ios::binary);
  scan.is_there = stream.good();
  std::uint64_t end = 0;
  std::int64_t bad = 0;
  bool is_later = false;
  for (std::string line; std::getline(stream, line);) {
    if (stream.eof()) break;  // no newline: torn
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
  constexpr std::streamoff kEnd = 1 << 16;
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) return 0;
  const std::streamoff size = stream.tellg();
  stream.seekg(std::max<std::streamoff>(size - kEnd, 0));
  std::int64_t generation = 0;
  for (std::string line; std::getline(stream, line);) {
    if (const auto record = record_of(line)) generation = std::max(generation, record->generation);
  }
  return static_cast<std::uint64_t>(generation);
}

}  // namespace edt
