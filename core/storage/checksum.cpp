#include "core/storage/checksum.h"

#include <xxhash.h>

#include <charconv>

#include "core/base/error.h"

namespace edt {

struct StreamingChecksum::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

std::uint64_t checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

StreamingChecksum::StreamingChecksum() : state_(std::make_unique<State>()) { reset(); }
StreamingChecksum::~StreamingChecksum() = default;

void StreamingChecksum::add(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

std::uint64_t StreamingChecksum::value() const { return XXH3_64bits_digest(state_->xxh); }

void StreamingChecksum::reset() { XXH3_64bits_reset(state_->xxh); }

std::string checksum_text(std::uint64_t value) { return fmt::format("{:016x}", value); }

std::uint64_t parse_checksum(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  require<DataError>(text.size() == 16 && status == std::errc() && end == text.data() + text.size(),
                     "checksum", "'{}' is not a checksum of 16 hexadecimal digits", text);
  return value;
}

}  // namespace edt
