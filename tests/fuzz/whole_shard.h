// What both shard targets do with their input.
#pragma once

#include "core/base/error.h"
#include "data/shard.h"
#include "tests/fuzz/memory_file.h"

namespace edt::fuzz {

// 0 for a shard that opens and verifies, -1 for one that is refused.
inline int read_whole_shard(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(std::span(data, size));
  try {
    data::Shard(file.path()).verify();
    return 0;
  } catch (const Error&) {
    return -1;
  }
}

}  // namespace edt::fuzz
