// The section [data]: which samples are read, and how.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/options/options.h"

namespace edt {

enum class SampleOrder { kGlobal, kShardLocal };

struct DataOptions {
  std::filesystem::path path;
  SampleOrder order = SampleOrder::kGlobal;
  std::int64_t window = 4096;
  double holdout = 0;
  bool flip = true;
  bool normalize = false;
  double normalize_eps = 0;
  bool verify = true;
  std::int64_t prefetch = 4;
  std::int64_t cache = 256;  // MiB

  void declare(OptionSet& options);
};

}  // namespace edt
