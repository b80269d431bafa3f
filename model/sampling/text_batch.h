// The texts of pictures that are made together, as rows of the network's inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"
#include "model/sampling/forward_pass.h"

namespace edt {

// What pictures are to show: features of the tokens of texts, [tokens, channels].
struct RequestedTexts {
  // Of a picture of the request, read when it is made; empty: there are none.
  std::function<std::vector<float>(std::int64_t picture)> of;
  std::vector<float> null;  // of the text that stands for none, which guidance needs

  // UsageError where a model that reads texts has none, or one that does not has some, or the null
  // text does not fit.
  void check(const Model& model) const;
  // Reads the text of each of so many pictures, and leaves none of them. UsageError or DataError
  // where one cannot be had or is longer than the model's longest.
  void check_each(const Model& model, std::int64_t pictures) const;
};

class TextBatch {
 public:
  // Of pictures first ... last - 1, the last one again up to `rows`. With `guided` as many rows of
  // the null text follow. UsageError with both values for one that is longer than the model's
  // longest, or has other channels.
  struct Pictures {
    std::int64_t first, last, rows;
    bool guided;
  };
  TextBatch(const RequestedTexts& texts, const Model& model, const Pictures& pictures);

  // The first `rows` of them; none of a model that reads no texts.
  TextRows rows(std::int64_t rows) const;

 private:
  void append(std::span<const float> features, const TextConfig& config);

  std::vector<float> features_;
  std::vector<std::int32_t> lengths_;
};

}  // namespace edt
