#include "data/pictures/repeated_names.h"

#include <algorithm>
#include <span>

#include "core/storage/checksum.h"

namespace edt::data {
namespace {

std::uint64_t key_of(std::string_view name) {
  return checksum_of(std::span<const char>(name.data(), name.size()));
}

}  // namespace

void RepeatedNames::add(std::string_view name) { keys_.push_back(key_of(name)); }

bool RepeatedNames::may_repeat() {
  std::ranges::sort(keys_);
  for (auto at = keys_.begin(); (at = std::adjacent_find(at, keys_.end())) != keys_.end(); ++at) {
    doubtful_.insert(*at);
  }
  return !doubtful_.empty();
}

bool RepeatedNames::is_repeated(const std::string& name) {
  return doubtful_.contains(key_of(name)) && !seen_.insert(name).second;
}

}  // namespace edt::data
