#include "data/pictures/reader.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt::data {

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;  // of an encoded picture
constexpr std::size_t kMostOpen = 8;

void require_bytes(std::uint64_t bytes, const std::string& name) {
  require<DataError>(bytes <= kMostBytes, "pictures", "{}: {} bytes, at most {} are read", name,
                     bytes, kMostBytes);
}

}  // namespace

PictureReader::PictureReader(const PictureIndex& index) : index_(index) {
  const auto& sources = index.sources().sources;
  any_order_ = std::none_of(sources.begin(), sources.end(),
                            [](const auto& source) { return source.is_packed; });
}

std::shared_ptr<Archive> PictureReader::archive(std::uint32_t source) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(open_.begin(), open_.end(),
                                  [&](const auto& entry) { return entry.first == source; });
  if (found != open_.end()) return found->second;
  open_.emplace_front(source, Archive::open(index_.sources().sources.at(source).path));
  if (open_.size() > kMostOpen) open_.pop_back();
  return open_.front().second;
}

std::vector<std::byte> PictureReader::read(const PictureEntry& entry) {
  if (index_.sources().sources.at(entry.source).is_archive) {
    require_bytes(entry.bytes, index_.name_of(entry));
    std::vector<std::byte> bytes(entry.bytes);
    archive(entry.source)->read(entry.offset, bytes);
    return bytes;
  }
  const InputFile file(index_.name_of(entry));
  require_bytes(file.size(), file.path().string());
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  return bytes;
}

}  // namespace edt::data
