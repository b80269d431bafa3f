// What the kernels of group norm of tokens are told of a sample.
#pragma once

#include <cstdint>

namespace edt {

// A sample's rows with what each channel is normalised by.
struct NormedRows {
  std::int64_t tokens, channels;
  const float *mean, *factor;  // [channels]
};

}  // namespace edt
