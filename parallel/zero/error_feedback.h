// Gradients that travel rounded, with error feedback (Seide et al., Interspeech 2014; Karimireddy
// et al., arXiv 1901.09847): what rounding takes from a rank's term in one step is added to its
// term of the next. It is not part of checkpoints: a run that goes on begins with none.
#pragma once

#include "core/tensor/device.h"
#include "parallel/comm/communicator.h"

namespace edt {

class ErrorFeedback {
 public:
  // For `elements` numbers in host memory.
  ErrorFeedback(Device& device, std::int64_t elements, Wire wire);

  // `values`, those from `offset` on, become what receivers will find; the rest is kept.
  void apply(std::int64_t offset, std::span<float> values);
  std::size_t bytes() const { return kept_.bytes(); }

 private:
  Wire wire_;
  Block kept_;
};

}  // namespace edt
