// What the network is told of a sample beside time and label, among the inputs of a micro-batch:
// its text, or the conditions of its frames.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/model.h"
#include "model/training/draws.h"
#include "model/training/input_buffers.h"

namespace edt {

class ConditionBuffers {
 public:
  // Of `rows` rows.
  ConditionBuffers(const Model& model, InputBuffers& inputs, std::int64_t rows);

  // What stands for a text that is dropped: features of its tokens, [tokens, channels]. Nothing
  // until then. UsageError where the model's longest text is shorter.
  void set_null_text(std::vector<float> features);

  // The rows from `first` on, of samples at `positions`. `arrays`: of Model::arrays(). Texts are
  // dropped with probability `dropout`, by the draws of `purpose`.
  struct Rows {
    std::size_t first = 0;
    std::span<const std::int32_t> positions;
    std::span<const std::span<const float>> arrays;
  };
  void fill(const Rows& rows, StepKey key, random::Purpose purpose, float dropout);

  // Of the first `rows` rows.
  TextInputs text(std::int64_t rows);
  Tensor frames(std::int64_t rows);

 private:
  void fill_texts(const Rows& rows, StepKey key, random::Purpose purpose, float dropout);

  struct TextIndices {
    std::size_t features, lengths;
  };

  const Model& model_;
  InputBuffers& inputs_;
  std::optional<TextIndices> text_;
  std::optional<std::size_t> frames_;
  std::vector<float> null_text_;
};

}  // namespace edt
