#include "model/sampling/extension.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt {

void Extension::validate(const LatentShape& window) const {
  require<UsageError>(1 <= columns && columns <= kMost && 1 <= rows && rows <= kMost, "sample",
                      "{} x {} windows are asked for, up to {} x {} are possible", columns, rows,
                      kMost, kMost);
  const std::int64_t side =
      std::min(columns > 1 ? window.width : window.height, rows > 1 ? window.height : window.width);
  require<UsageError>(!is_on() || (1 <= overlap && overlap < side), "sample",
                      "windows share {} latents, 1 to {} are possible: a window has {} x {}",
                      overlap, side - 1, window.width, window.height);
}

LatentShape Extension::whole(const LatentShape& window) const {
  LatentShape shape = window;
  shape.height += (rows - 1) * (window.height - overlap);
  shape.width += (columns - 1) * (window.width - overlap);
  return shape;
}

ExtendedPictures::ExtendedPictures(const Extension& extension, const LatentShape& window,
                                   std::int64_t pictures)
    : extension_(extension),
      window_(window),
      whole_(extension.whole(window)),
      pictures_(pictures),
      latents_(static_cast<std::size_t>(pictures * whole_.elements())) {}

std::vector<ExtendedPictures::Window> ExtendedPictures::windows() const {
  std::vector<Window> all;
  for (std::int64_t row = 0; row < extension_.rows; ++row) {
    for (std::int64_t column = 0; column < extension_.columns; ++column) {
      all.push_back({column, row});
    }
  }
  return all;
}

template <class F>
void ExtendedPictures::for_each_row(const Window& window, F f) const {
  const std::int64_t left = window.column * (window_.width - extension_.overlap);
  const std::int64_t top = window.row * (window_.height - extension_.overlap);
  for (std::int64_t plane = 0; plane < pictures_ * window_.channels; ++plane) {
    for (std::int64_t y = 0; y < window_.height; ++y) {
      f((plane * whole_.height + top + y) * whole_.width + left,
        (plane * window_.height + y) * window_.width);
    }
  }
}

std::vector<float> ExtendedPictures::known(const Window& window) const {
  std::vector<float> latents(static_cast<std::size_t>(pictures_ * window_.elements()));
  for_each_row(window, [&](std::int64_t from, std::int64_t to) {
    std::copy_n(latents_.begin() + from, window_.width, latents.begin() + to);
  });
  return latents;
}

std::vector<std::uint8_t> ExtendedPictures::mask(const Window& window) const {
  std::vector<std::uint8_t> mask;
  for (std::int64_t line = 0; line < pictures_ * window_.height; ++line) {
    const bool is_above = window.row > 0 && line % window_.height < extension_.overlap;
    for (std::int64_t x = 0; x < window_.width; ++x) {
      mask.push_back(is_above || (window.column > 0 && x < extension_.overlap));
    }
  }
  return mask;
}

void ExtendedPictures::put(const Window& window, std::span<const float> latents) {
  for_each_row(window, [&](std::int64_t to, std::int64_t from) {
    std::copy_n(latents.begin() + from, window_.width, latents_.begin() + to);
  });
}

}  // namespace edt
