#include "data/pictures/look.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"

namespace edt::data {

std::vector<BrokenPicture> look_at_pictures(const PictureIndex& index, int part, int parts,
                                            const LoadSettings& settings,
                                            const std::function<void(std::uint64_t)>& progress) {
  // Stretches, so that each part reads in order; many, so that none has all the large pictures.
  constexpr std::uint64_t kStretch = 256;
  std::vector<PictureRange> ranges;
  const std::uint64_t step = kStretch * static_cast<std::uint64_t>(parts);
  for (std::uint64_t first = kStretch * static_cast<std::uint64_t>(part); first < index.size();
       first += step) {
    ranges.push_back({first, std::min(kStretch, index.size() - first)});
  }
  PictureLoader loader(index, std::move(ranges), settings);
  std::vector<BrokenPicture> broken;
  for (std::uint64_t i = 0; i < loader.size(); ++i) {
    const LoadedPicture& picture = loader.next();
    if (picture.broken) broken.push_back({picture.index, *picture.broken});
    if (progress) progress(i + 1);
  }
  return broken;
}

std::string to_text(const std::vector<BrokenPicture>& broken) {
  std::string text;
  for (const BrokenPicture& picture : broken) {
    std::string reason = picture.reason;
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    text += fmt::format("{}\t{}\n", picture.index, reason);
  }
  return text;
}

std::vector<BrokenPicture> parse_broken(const std::string& text) {
  std::vector<BrokenPicture> broken;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin), tab = text.find('\t', begin);
    BrokenPicture picture;
    std::from_chars(text.data() + begin, text.data() + tab, picture.index);
    picture.reason = text.substr(tab + 1, end - tab - 1);
    broken.push_back(std::move(picture));
    begin = end + 1;
  }
  return broken;
}

}  // namespace edt::data
