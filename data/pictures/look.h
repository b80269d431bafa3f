// Which pictures can be decoded: found out before a picture is encoded, so that shards have their
// final sizes and all that is broken is known at once. It costs a hundredth of the encoding.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/pictures/loader.h"

namespace edt::data {

// Decodes every picture of the part `part` of `parts`: parts are equal, and together they are all.
// `progress` is told how many of this part are done; it may throw to stop.
std::vector<BrokenPicture> look_at_pictures(const PictureIndex& index, int part, int parts,
                                            const LoadSettings& settings,
                                            const std::function<void(std::uint64_t)>& progress);

// As text, for other ranks and for people: a line of index and reason each.
std::string to_text(const std::vector<BrokenPicture>& broken);
std::vector<BrokenPicture> parse_broken(const std::string& text);

}  // namespace edt::data
