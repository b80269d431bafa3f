#include "model/blocks/token_weights.h"

#include <algorithm>
#include <array>

namespace edt {
namespace {

constexpr std::array<std::string_view, 10> kEndings{
    ".attn.qkv.weight",          ".attn.proj.weight",       ".mlp.fc1.weight",
    ".mlp.fc2.weight",           ".mlp.w12.weight",         ".mlp.w3.weight",
    ".attn.query.linear.weight", ".attn.key.linear.weight", ".attn.value.linear.weight",
    ".skip_linear.weight"};

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

void quantize_token_weights(const ParameterList& parameters, WeightQuantizer& quantizer) {
  for_each_token_weight(parameters, [&](const Parameter& p) { quantizer.quantize(p.value); });
}

std::size_t quantized_bytes(const ParameterList& parameters) {
  std::size_t bytes = 0;
  for_each_token_weight(
      parameters, [&](const Parameter& p) { bytes += quantized_bytes(p.shape[0], p.shape[1]); });
  return bytes;
}

}  // namespace edt
