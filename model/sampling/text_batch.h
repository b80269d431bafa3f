// The texts of pictures that are made together, as rows of the network's inputs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"
#include "model/sampling/forward_pass.h"

namespace edt {

// What pictures are to show: features of the tokens of each text, [tokens, channels].
struct RequestedTexts {
  std::vector<std::vector<float>> features;  // one for each picture, or one for all
  std::vector<float> null;                   // of the text that stands for none; guidance needs it

  // UsageError with both values unless the model can read them: as many as pictures, none longer
  // than its longest. A model that reads no texts takes none.
  void check(const Model& model, std::size_t pictures, bool guided) const;
};

class TextBatch {
 public:
  // Of pictures first ..., `rows` of them: the last one again beyond the last. With `guided` as
  // many rows of the null text follow.
  TextBatch(const RequestedTexts& texts, const TextConfig& config, std::int64_t first,
            std::int64_t rows, bool guided);

  // The first `rows` of them; none of a model that reads no texts.
  TextRows rows(std::int64_t rows) const;

 private:
  void append(std::span<const float> features, const TextConfig& config);

  std::vector<float> features_;
  std::vector<std::int32_t> lengths_;
};

}  // namespace edt
