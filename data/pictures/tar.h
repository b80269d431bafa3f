// What tar archives hold, and where in them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "data/pictures/archive.h"

namespace edt::data {

struct TarMember {
  std::string name;  // of the files of "b.tar" within the archive: "b/name"
  std::uint64_t offset = 0, bytes = 0;
  std::string link;  // of a hard or symbolic link, which has no content: where it leads
};

// Called while the archive is read: `content` gives the bytes of the member, at most 64 KiB.
using VisitMember =
    std::function<void(const TarMember& member, const std::function<std::string()>& content)>;

// All regular files and links in order, those of archives within the archive among them. DataError,
// naming the archive, where it is no tar, damaged or cut off.
void for_each_tar_member(Archive& archive, const VisitMember& visit);

}  // namespace edt::data
