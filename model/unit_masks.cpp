#include "model/unit_masks.h"

#include <algorithm>

#include "core/ops/heads.h"
#include "core/ops/unit_mask.h"

namespace edt {

std::size_t UnitMasks::add(ParameterList& list, std::string name, std::int64_t units) {
  const ParameterList::Part part(list, "prune");
  Layer& layer = layers_.emplace_back();
  layer.weights = &list.add_drawn(std::move(name), {units}, Init::kValue, start_);
  layer.band = {nullptr, {3, units}, DType::kFloat32};
  layer.memory = Block(device_.memory(), layer.band.bytes());
  layer.band.data = layer.memory.data();
  std::vector<float> decided(static_cast<std::size_t>(3 * units), 1.f);
  std::fill_n(decided.begin(), units, -1.f);
  set_band(layers_.size() - 1, decided);
  return layers_.size() - 1;
}

Var UnitMasks::factors(Tape& tape, std::size_t layer) {
  Layer& one = layers_[layer];
  const Var weights = parameter_rows(tape, {one.weights});
  if (tape.recording()) one.seen = weights;
  return band_mask(tape, weights, one.band);
}

void UnitMasks::clear() {
  for (Layer& layer : layers_) layer.seen = {};
}

void UnitMasks::set_band(std::size_t layer, std::span<const float> values) {
  device_.upload_floats(values, layers_[layer].band);
}

}  // namespace edt
