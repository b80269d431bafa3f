// Whether the checkpoints to come fit on the disk, with all that is kept meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "parallel/checkpoint/retention.h"

namespace edt {

// Snapshots of averages at multiples of `every` behind step `after`, which all stay.
struct ComingSnapshots {
  std::uint64_t each = 0;  // bytes; 0: there are none
  std::int64_t every = 0, after = 0;

  std::uint64_t bytes_until(std::int64_t step) const;
};

struct DiskPreflight {
  std::filesystem::path directory;
  std::uint64_t each = 0, free = 0;  // bytes
  Retention retention;
  std::vector<RankedStep> present;
  std::vector<std::int64_t> saves;  // to come, in their order
  ComingSnapshots snapshots = {};

  // How many of the saves, from the first, find space beside the snapshots until then.
  std::size_t fitting() const;
  // Space for all of them, beside what is there: bytes.
  double needed() const;
  // One line with both values where not all fit; else empty.
  std::string shortage() const;

 private:
  // What is added until each of the saves is there.
  std::vector<double> added_bytes() const;
};

// The steps after `step` at which a run to `last` saves, at most `most` of them. `every` 0: the
// last step only.
std::vector<std::int64_t> coming_saves(std::int64_t step, std::int64_t every, std::int64_t last,
                                       std::size_t most);

}  // namespace edt
