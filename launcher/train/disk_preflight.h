// Whether the checkpoints to come fit on the disk, with all that is kept meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "parallel/checkpoint/retention.h"

namespace edt {

struct DiskPreflight {
  std::filesystem::path directory;
  std::uint64_t each = 0, free = 0;  // bytes
  Retention retention;
  std::vector<RankedStep> present;
  std::vector<std::int64_t> saves;  // to come, in their order

  // How many of the saves, from the first, find space.
  std::size_t fitting() const;
  // Space for all of them, beside what is there: bytes.
  double needed() const;
  // One line with both values where not all fit; else empty.
  std::string shortage() const;
};

// The steps after `step` at which a run to `last` saves, at most `most` of them. `every` 0: the
// last step only.
std::vector<std::int64_t> coming_saves(std::int64_t step, std::int64_t every, std::int64_t last,
                                       std::size_t most);

}  // namespace edt
