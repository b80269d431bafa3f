#include "model/blocks/token_weights.h"

#include <algorithm>
#include <array>

namespace edt {
namespace {

// The last six: of E-MMDiT, whose maps to query, key and value are copied for each product.
constexpr std::array<std::string_view, 19> kEndings{".attn.qkv.weight",
                                                    ".attn.proj.weight",
                                                    ".mlp.fc1.weight",
                                                    ".mlp.fc2.weight",
                                                    ".mlp.w12.weight",
                                                    ".mlp.w3.weight",
                                                    ".skip_linear.weight",
                                                    ".attn.query.linear.weight",
                                                    ".attn.key.linear.weight",
                                                    ".attn.value.linear.weight",
                                                    ".cross_attn.q_linear.weight",
                                                    ".cross_attn.kv_linear.weight",
                                                    ".cross_attn.proj.weight",
                                                    ".attn.to_out.0.weight",
                                                    ".attn.to_add_out.weight",
                                                    ".ff.net.0.proj.weight",
                                                    ".ff.net.2.weight",
                                                    ".ff_context.net.0.proj.weight",
                                                    ".ff_context.net.2.weight"};

template <class F>
void for_each_token_weight(const ParameterList& parameters, F&& f) {
  for (const Parameter& parameter : parameters.all()) {
    if (is_token_weight(parameter.name)) f(parameter);
  }
}

}  // namespace

bool is_token_weight(std::string_view name) {
  return std::ranges::any_of(kEndings,
                             [&](std::string_view ending) { return name.ends_with(ending); });
}

std::vector<WeightHold> quantize_token_weights(const ParameterList& parameters,
                                               WeightQuantizer& quantizer) {
  std::vector<WeightHold> holds;
  for_each_token_weight(parameters,
                        [&](const Parameter& p) { holds.push_back(quantizer.quantize(p.value)); });
  return holds;
}

std::size_t quantized_bytes(const ParameterList& parameters) {
  std::size_t bytes = 0;
  for_each_token_weight(
      parameters, [&](const Parameter& p) { bytes += quantized_bytes(p.shape[0], p.shape[1]); });
  return bytes;
}

}  // namespace edt
