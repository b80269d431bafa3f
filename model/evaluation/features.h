// What a network says about pictures: a row of numbers for each.
#pragma once

#include <cstdint>
#include <span>

namespace edt {

// [count, width], row after row; the owner stays elsewhere.
struct Features {
  std::span<const float> values;
  std::int64_t width = 0;

  std::int64_t count() const {
    return width == 0 ? 0 : static_cast<std::int64_t>(values.size()) / width;
  }
  std::span<const float> row(std::int64_t i) const {
    return values.subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width));
  }
  Features rows(std::int64_t begin, std::int64_t end) const {
    return {values.subspan(static_cast<std::size_t>(begin * width),
                           static_cast<std::size_t>((end - begin) * width)),
            width};
  }
};

// DataError where they differ.
void check_same_width(const Features& reference, const Features& samples);

}  // namespace edt
