// The same samples under two names: they would count twice.
#pragma once

#include <memory>
#include <span>

#include "data/shard.h"

namespace edt::data {

// DataError, which names both, where a shard is a copy of another, or takes its samples from one
// (as a virtual data set does, or through a link).
void refuse_copies(std::span<const std::unique_ptr<Shard>> shards);

}  // namespace edt::data
