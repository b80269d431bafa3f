// Pictures to be judged, in their order: arr_0 of an .npz as evaluators pass them round, or files
// in folders and tar archives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/image/image.h"

namespace edt {

class PictureSource {
 public:
  virtual ~PictureSource() = default;
  virtual std::int64_t count() const = 0;
  // Pictures first ... first + count - 1; calls go forwards. DataError where one cannot be read.
  virtual std::vector<Image> read(std::int64_t first, std::int64_t count) = 0;
  virtual std::string name() const = 0;
  // Of one picture, for messages.
  virtual std::string name_of(std::int64_t picture) const = 0;
};

// One .npz with an array [N, H, W, 3] of bytes, or folders and archives of pictures. UsageError or
// DataError that says what is there where these are none.
std::unique_ptr<PictureSource> open_pictures(const std::vector<std::filesystem::path>& paths);

}  // namespace edt
