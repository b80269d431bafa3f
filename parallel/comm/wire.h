// The form that float32 numbers have on the wire. One message is encoded by itself.
#pragma once

#include <cstddef>
#include <span>

#include "parallel/comm/communicator.h"

namespace edt {

// Numbers of kInt8 that share a scale: the largest magnitude of the block, m. A number x travels as
// round(127 x / m). Blocks count from the begin of a message; the scales come first, as float32.
constexpr std::size_t kInt8Block = 256;

constexpr bool rounds_once(Wire wire) { return wire == Wire::kBFloat16Once || wire == Wire::kInt8; }

// For `memory` bytes of float32; of other types with kExact alone. Never more, but for a single
// number.
std::size_t wire_bytes(Wire wire, std::size_t memory);
// For each byte in memory, of long messages.
double wire_share(Wire wire);

// `bytes`: wire_bytes() of them. Not for kExact.
void encode(Wire wire, std::span<const float> values, std::span<std::byte> bytes);
// sum[i] += what a receiver finds in `bytes`
void decode_onto(Wire wire, std::span<const std::byte> bytes, std::span<float> sum);

// Each value becomes what a receiver of it finds; to encode that again changes nothing. A block
// that is not finite becomes NaN.
void round_as(Wire wire, std::span<float> values);

}  // namespace edt
