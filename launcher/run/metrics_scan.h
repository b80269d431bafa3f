// What a metrics.jsonl holds before a step, and what else it tells of the run that wrote it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>

namespace edt {

struct MetricsScan {
  bool is_there = false;
  std::uint64_t bytes = 0;      // up to the end of the last record before the step
  std::int64_t last_step = -1;  // of that record; -1: there is none
  std::optional<double> loss;   // of that record
  std::int64_t bad_lines = 0;   // among those bytes: no records, or not in their order
  // Behind them are not only later steps and a line that a kill has torn.
  bool has_strange_end = false;
  // Of all records: the newest checkpoint that is known to have been complete; 0: none.
  std::int64_t saved = 0;
};

// All records where `first_step` is not given.
MetricsScan scan_metrics(const std::filesystem::path& file,
                         std::int64_t first_step = std::numeric_limits<std::int64_t>::max());

// The highest of the last records; 0 where they have none. Reads the end of the file only.
std::uint64_t last_generation(const std::filesystem::path& file);

}  // namespace edt
