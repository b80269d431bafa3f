// What a step reads of each sample beside its latent.
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

namespace edt {

// An array of the data set.
struct ArrayRequest {
  std::string name;
  std::vector<std::int64_t> shape;  // of a sample

  std::int64_t elements() const {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  }
};

// Names that stand for the text of a sample: its features [tokens, channels] with zeros behind the
// last of its tokens, and how many tokens it has.
inline constexpr const char *kTextArray = "text", *kTextLengthArray = "text-length";
// Of a sequence: the condition [tokens, channels] of each of its frames.
inline constexpr const char* kFrameArray = "frames";

}  // namespace edt
