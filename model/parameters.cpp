#include "model/parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/ops/ternary.h"
#include "core/random/stream.h"
#include "model/positions.h"
#include "model/ternary.h"

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

Parameter& ParameterList::add(std::string name, const Shape& shape, Init init, TensorCut cut) {
  return add_drawn(std::move(name), shape, init, 0, cut);
}

Parameter& ParameterList::add_drawn(std::string name, const Shape& shape, Init init, double extent,
                                    TensorCut cut) {
  const TensorShard shard{shape, cut, ranks_.rank(), ranks_.size()};
  require<UsageError>(shard.fits(), "tensor parallel",
                      "{} of shape {} cannot be cut into {} equal parts{}", name, to_string(shape),
                      ranks_.size(), cut.chunks > 1 ? fmt::format(" {} times", cut.chunks) : "");
  shards_.push_back(shard);
  inits_.push_back(init);
  tables_.emplace_back();
  extents_.push_back(extent);
  places_.push_back({part_, counts_[part_]++});
  return parameters_.emplace_back(Parameter{.name = std::move(name), .shape = shard.local()});
}

Parameter& ParameterList::add_positions(std::string name, const TokenGrid& grid, std::int64_t width,
                                        PositionForm form) {
  Parameter& added = add(std::move(name), {1, grid.tokens(), width}, Init::kPositions);
  tables_.back() = {grid, form};
  return added;
}

Parameter& ParameterList::make_ternary(Parameter& weight, std::string scale, Init init) {
  const auto at = std::ranges::find(parameters_, &weight, [](Parameter& p) { return &p; });
  EDT_ASSERT(at != parameters_.end() && weight.ternary == nullptr);
  const TensorShard& shard = shards_[static_cast<std::size_t>(at - parameters_.begin())];
  Ternary& made =
      ternary_.emplace_back(Ternary{.elements = shard.logical.elements(), .sum_of_parts = {}});
  if (!shard.whole()) {
    made.sum_of_parts = [ranks = ranks_, label = "sum over the parts of " + weight.name](
                            Tape& tape, const Tensor& sum) {
      sum_in_place(tape, sum, ranks, label);
    };
  }
  const Part part(*this, "ternary");
  made.scale = &add(std::move(scale), {1}, init);
  weight.ternary = &made;
  return *made.scale;
}

ParameterList::Part::Part(ParameterList& list, std::string_view name)
    : list_(list), before_(std::exchange(list.part_, part_index(name))) {
  EDT_ASSERT(list.part_ < kPartKinds.size());
}

std::int64_t ParameterList::elements_of(std::string_view part) const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (this->part(i).name == part) sum += shards_[i].logical.elements();
  }
  return sum;
}

std::int64_t ParameterList::elements() const {
  std::int64_t sum = 0;
  for (const TensorShard& shard : shards_) sum += shard.logical.elements();
  return sum;
}

std::int64_t ParameterList::local_elements() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : parameters_) sum += parameter.shape.elements();
  return sum;
}

void ParameterList::initialize(std::size_t index, std::uint64_t seed,
                               std::span<float> value) const {
  const TensorShard& shard = shards_[index];
  if (shard.whole()) return draw(index, seed, value);
  std::vector<float> logical(static_cast<std::size_t>(shard.logical.elements()));
  draw(index, seed, logical);
  shard.take(logical, value);
}

// Of the network its place in the list, as always.
std::uint32_t ParameterList::key(std::size_t index) const {
  constexpr std::uint32_t kOrdinalBits = 20;
  const Place& place = places_[index];
  EDT_ASSERT(place.ordinal < (std::uint32_t{1} << kOrdinalBits));
  return static_cast<std::uint32_t>(place.part) << kOrdinalBits | place.ordinal;
}

std::size_t ParameterList::weight_of(std::size_t scale) const {
  std::size_t i = 0;
  while (scale_of(parameters_[i]) != &parameters_[scale]) ++i;
  return i;
}

void ParameterList::draw(std::size_t index, std::uint64_t seed, std::span<float> value) const {
  const Shape& shape = shards_[index].logical;
  EDT_ASSERT(static_cast<std::int64_t>(value.size()) == shape.elements());
  const random::StreamKey key{
      .seed = seed, .purpose = random::Purpose::kInit, .sample = this->key(index)};
  switch (inits_[index]) {
    case Init::kZero:
      std::ranges::fill(value, 0.f);
      return;
    case Init::kOne:
      std::ranges::fill(value, 1.f);
      return;
    case Init::kXavierUniform:
      fill_xavier(key, shape, value);
      return;
    case Init::kHalfToThree:
      random::fill_uniform(key, value);
      for (float& v : value) v = 0.5f + 2.5f * v;
      return;
    case Init::kNormal002:
    // The published truncation at +-2 lies 100 standard deviations out: it never cuts.
    case Init::kTruncatedNormal002:
      random::fill_normal(key, value);
      for (float& v : value) v *= kStandardDeviation;
      return;
    case Init::kUniform:
      random::fill_uniform(key, value);
      for (float& v : value) v = static_cast<float>(extents_[index]) * (2 * v - 1);
      return;
    case Init::kNormal:
      random::fill_normal(key, value);
      for (float& v : value) v *= static_cast<float>(extents_[index]);
      return;
    case Init::kValue:
      std::ranges::fill(value, static_cast<float>(extents_[index]));
      return;
    case Init::kMeanMagnitude: {
      const std::size_t weight = weight_of(index);
      std::vector<float> of_weight(static_cast<std::size_t>(shards_[weight].logical.elements()));
      draw(weight, seed, of_weight);
      value[0] = mean_magnitude(of_weight);
      return;
    }
    case Init::kPositions:
      std::ranges::copy(sincos_positions(shape[2], tables_[index].grid, tables_[index].form),
                        value.begin());
      return;
  }
}

}  // namespace edt
