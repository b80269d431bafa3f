// What the texts of a model are: by which encoder, and beside which null text it was trained. Texts
// of another encoder mean nothing to it, and another null text is no prompt to be guided away from.
#pragma once

#include <string>
#include <vector>

#include "data/text.h"
#include "launcher/recipe/trained_weights.h"
#include "model/families/model_options.h"

namespace edt {

// In CheckpointInfo::extra, what the data were that it was trained on, and the entry of the null
// text in there.
inline constexpr const char *kDataIdentity = "data", *kNullTextIdentity = "checksum of null text";

struct TextSpace {
  std::string encoder;        // empty: not known
  std::string null_checksum;  // of the features of the null text; empty: not known
  std::string source;         // who says so, for messages

  static TextSpace of(const data::TextDescription& texts, const std::string& source);
  // As a model was trained; older and imported weights do not say beside which null text.
  static TextSpace of(const ModelOptions& model, const TrainedWeights& weights);

  // UsageError with both values unless `texts` are of this space; what one of them does not say is
  // not compared. `option` names the texts.
  void require_same(const TextSpace& texts, const std::string& option) const;
  // What is not known and was not compared for that, a line each.
  std::vector<std::string> not_compared(const TextSpace& texts, const std::string& option) const;
};

}  // namespace edt
