// What a network reads beside image, time and label, without values, for dry runs and benchmarks.
#pragma once

#include "model/model.h"

namespace edt {

// Of `rows` rows. `tensor(shape, dtype)` makes tensors of zeros: texts of
// no tokens, whose length whoever measures sets.
template <class MakeTensor>
void add_blank_conditions(const Model& model, std::int64_t rows, MakeTensor tensor,
                          ModelInputs& inputs) {
  if (const TextConfig& text = model.text(); text.is_on()) {
    inputs.text = {tensor({rows, text.tokens, text.channels}, DType::kFloat32),
                   tensor({rows}, DType::kInt32)};
  }
  if (const std::int64_t channels = model.frame_channels(); channels > 0) {
    inputs.frames = tensor({rows, model.patches().tokens(), channels}, DType::kFloat32);
  }
}

}  // namespace edt
