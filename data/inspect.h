// What a data set holds, and whether it is intact.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/description.h"
#include "data/progress.h"

namespace edt::data {

struct DatasetInfo {
  std::filesystem::path path;
  Description description;
  std::uint64_t samples = 0;
  std::uint64_t shards = 0;
  std::uint64_t bytes = 0;           // of all files
  std::uint64_t sealed_shards = 0;   // protected against damaged headers
  std::uint64_t checked_shards = 0;  // with block checksums
  std::vector<std::uint64_t> class_counts;
  std::string slow_layout;  // Dataset::slow_layout
};

DatasetInfo describe(const std::filesystem::path& path);
nlohmann::ordered_json to_json(const DatasetInfo& info);

// Of a file of texts alone (is_text_file).
struct TextInfo {
  std::filesystem::path path;
  TextDescription description;
  std::uint64_t texts = 0;
  std::uint64_t bytes = 0;
  std::string null_checksum;
};
TextInfo describe_texts(const std::filesystem::path& path);
nlohmann::ordered_json to_json(const TextInfo& info);

// A PNG grid, one row per class (the first twelve), the first eight samples of each.
void write_pictures(const std::filesystem::path& path, const std::filesystem::path& png);

struct VerifyReport {
  bool is_of_texts = false;   // samples are the texts of a file of texts alone
  std::uint64_t samples = 0;  // in shards that are intact
  std::uint64_t shards = 0;
  std::uint64_t without_checksums = 0;  // shards in which only sizes and values could be checked
  std::vector<std::string> problems;    // one line each
};

// Reads everything: seals, checksums, labels, finite values, and how the shards fit together. What
// is wrong is collected; only a path without shards throws. Of a file of texts alone: its texts.
VerifyReport verify(const std::filesystem::path& path, const Progress& progress = {});
nlohmann::ordered_json to_json(const VerifyReport& report);

}  // namespace edt::data
