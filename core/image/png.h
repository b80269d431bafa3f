// PNG files that this program writes, and reads again: every chunk of them is checked.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/image/image.h"

namespace edt {

// A whole file.
std::string encode_png(const Image& image);
void write_png(const std::filesystem::path& path, const Image& image);
// DataError for what is no PNG, and for any damaged byte.
Image read_png(const std::filesystem::path& path);
// The comment of an encoded picture; "" where it has none or is no PNG.
std::string png_comment(std::string_view encoded);

}  // namespace edt
