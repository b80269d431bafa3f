// Which pixels a pooling takes together, and how.
#pragma once

#include <cstdint>
#include <string_view>

namespace edt {

enum class PoolKind : std::uint8_t { kMax, kMean };

constexpr std::string_view name_of(PoolKind kind) {
  return kind == PoolKind::kMax ? "max" : "mean";
}

struct PoolForm {
  PoolKind kind = PoolKind::kMax;
  std::int64_t kernel_rows = 1, kernel_columns = 1, stride = 1;
  // Rows and columns around the picture that a kernel may reach into: they hold nothing, so that a
  // mean is that of the pixels which are there.
  std::int64_t padding = 0;
};

}  // namespace edt
