#include "model/ternary.h"

#include <cmath>

#include "core/ops/ternary.h"
#include "core/ops/ternary_packer.h"

namespace edt {
namespace {

double sum_of_magnitudes(std::span<const float> weight) {
  double sum = 0;
  for (const float w : weight) sum += std::fabs(w);
  return sum;
}

}  // namespace

float mean_magnitude(std::span<const float> weight) {
  return static_cast<float>(sum_of_magnitudes(weight) / static_cast<double>(weight.size()));
}

std::vector<std::int8_t> ternary_digits(std::span<const float> weight) {
  const auto edge = static_cast<float>(
      ternary_edge(sum_of_magnitudes(weight), static_cast<std::int64_t>(weight.size())));
  std::vector<std::int8_t> digits;
  digits.reserve(weight.size());
  for (const float w : weight) {
    digits.push_back(std::fabs(w) > edge ? static_cast<std::int8_t>(w > 0 ? 1 : -1) : 0);
  }
  return digits;
}

std::vector<Parameter*> fold_ternary(ParameterList& parameters, const FlatLayout& layout,
                                     std::span<float> weights) {
  const auto values_of = [&](const Parameter& parameter) {
    const FlatTensor& tensor = layout.tensor(layout.find(parameter.name));
    return weights.subspan(static_cast<std::size_t>(tensor.offset),
                           static_cast<std::size_t>(tensor.elements()));
  };
  for (Parameter& parameter : parameters.all()) {
    if (parameter.ternary == nullptr || parameter.ternary->sum_of_parts) continue;
    const std::span<float> values = values_of(parameter);
    const float scale = values_of(*parameter.ternary->scale)[0];
    const std::vector<std::int8_t> digits = ternary_digits(values);
    for (std::size_t i = 0; i < digits.size(); ++i) values[i] = scale * digits[i];
  }
  return plan_folded(parameters);
}

std::vector<Parameter*> plan_folded(ParameterList& parameters) {
  std::vector<Parameter*> folded;
  for (Parameter& parameter : parameters.all()) {
    if (parameter.ternary != nullptr && !parameter.ternary->sum_of_parts) {
      parameter.ternary = nullptr;
      folded.push_back(&parameter);
    }
  }
  return folded;
}

std::vector<WeightHold> pack_folded(const std::vector<Parameter*>& folded, Backend& backend) {
  std::vector<WeightHold> holds;
  TernaryPacker* packer = ternary_packer(backend);
  if (packer == nullptr) return holds;
  for (const Parameter* parameter : folded) holds.push_back(packer->pack_ternary(parameter->value));
  return holds;
}

std::size_t packed_bytes(const std::vector<Parameter*>& folded) {
  std::size_t bytes = 0;
  for (const Parameter* p : folded) bytes += packed_bytes(p->shape[0], p->shape[1]);
  return bytes;
}

}  // namespace edt
