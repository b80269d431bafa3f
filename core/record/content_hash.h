// A hash of values by their bits and places. Parts of a tensor can be hashed apart: the hash of the
// whole is the sum of theirs, so it does not depend on how ranks share the tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace edt {

// Of bytes that lie `first` bytes from the begin of the tensor, a multiple of kHashWord. Only the
// part with the tensor's end may have a length that is none.
inline constexpr std::size_t kHashWord = 8;
std::uint64_t content_hash(std::span<const std::byte> bytes, std::uint64_t first = 0);

}  // namespace edt
