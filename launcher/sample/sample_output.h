// Where finished samples go.
#pragma once

#include <span>

namespace edt {

class SampleOutput {
 public:
  virtual ~SampleOutput() = default;

  // Latents [n, C, H, W] of the next n samples, as the model makes them.
  virtual void add(std::span<const float> latents) = 0;
  // Completes all files.
  virtual void finish() = 0;
};

}  // namespace edt
