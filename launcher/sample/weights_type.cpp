#include "launcher/sample/weights_type.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "model/blocks/token_weights.h"

namespace edt {

void WeightsTypeOptions::declare(OptionSet& options) {
  options.add(
      "weights-type", &int8, {{"dtype", false}, {"int8", true}},
      "of products with the blocks' weights: that of dtype, or 8-bit integers, with a scale "
      "for each output and each token");
  options
      .add("int8-anywhere", &anywhere,
           "also on a processor without instructions for such products, where they are slow")
      .used_when("weights-type", {"int8"});
}

void WeightsTypeOptions::require_possible(Backend& backend, std::string_view said) const {
  if (!int8) return;
  const WeightQuantizer* quantizer = weight_quantizer(backend);
  require<UsageError>(quantizer != nullptr, "sample",
                      "{}, and --device {} multiplies no 8-bit integers", said,
                      backend.backend_name());
  require<UsageError>(
      anywhere || quantizer->has_integer_products(), "sample",
      "{}, and this processor has no instructions for products of 8-bit integers (VNNI): other "
      "types are faster; --int8-anywhere on does it all the same",
      said);
}

std::vector<WeightHold> WeightsTypeOptions::apply(Backend& backend, Model& model) const {
  if (!int8) return {};
  require_possible(backend);
  return quantize_token_weights(model.parameters(), *weight_quantizer(backend));
}

void WeightsTypeOptions::add_facts(nlohmann::ordered_json& facts) const {
  if (int8) facts["weights_type"] = "int8";
}

std::string WeightsTypeOptions::text(DType dtype) const {
  return std::string(name_of(dtype)) + (int8 ? ", weights in int8" : "");
}

}  // namespace edt
