// What a run has written of its steps.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/json/json_text.h"
#include "tests/support/text_files.h"

namespace edt::test {

// The lines of its metrics.jsonl.
inline std::vector<nlohmann::json> metrics_of(const std::filesystem::path& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_text(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(parse_json(line, "metrics"));
  return lines;
}

}  // namespace edt::test
