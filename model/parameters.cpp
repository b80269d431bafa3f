#include "model/parameters.h"

#include <cmath>

#include "core/random/stream.h"

namespace edt {
namespace {

constexpr float kStandardDeviation = 0.02f;

void fill_xavier(const random::StreamKey& key, const Shape& shape, std::span<float> value) {
  random::fill_uniform(key, value);
  const auto fan_out = static_cast<double>(shape[0]);
  const auto fan_in = static_cast<double>(shape.elements()) / fan_out;
  const auto bound = static_cast<float>(std::sqrt(6.0 / (fan_in + fan_out)));
  for (float& v : value) v = bound * (2 * v - 1);
}

}  // namespace

Parameter& ParameterList::add(std::string name, const Shape& shape, Init init) {
  inits_.push_back(init);
  return parameters_.emplace_back(Parameter{.name = std::move(name), .shape = shape});
}

std::int64_t ParameterList::elements() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : parameters_) sum += parameter.shape.elements();
  return sum;
}

void ParameterList::initialize(std::size_t index, std::uint64_t seed,
                               std::span<float> value) const {
  EDT_ASSERT(static_cast<std::int64_t>(value.size()) == parameters_[index].shape.elements());
  const random::StreamKey key{
      .seed = seed, .purpose = random::Purpose::kInit, .sample = static_cast<std::uint32_t>(index)};
  switch (inits_[index]) {
    case Init::kZero:
      std::ranges::fill(value, 0.f);
      return;
    case Init::kXavierUniform:
      fill_xavier(key, parameters_[index].shape, value);
      return;
    case Init::kNormal002:
    // The published truncation at +-2 lies 100 standard deviations out: it never cuts.
    case Init::kTruncatedNormal002:
      random::fill_normal(key, value);
      for (float& v : value) v *= kStandardDeviation;
      return;
  }
}

}  // namespace edt
