// The masks of a model that is being pruned (core/ops/unit_mask.h): a learnt weight of each unit,
// heads of attention and hidden units of MLPs, and what has been decided about it.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "core/autograd/tape.h"
#include "model/parameters.h"

namespace edt {

class UnitMasks {
 public:
  // Weights begin at `start`.
  UnitMasks(Device& device, double start) : device_(device), start_(start) {}

  // The mask of some units, as parameter `name` [units] of the part "prune". Its number.
  std::size_t add(ParameterList& list, std::string name, std::int64_t units);

  std::size_t size() const { return layers_.size(); }
  std::int64_t units(std::size_t layer) const { return layers_[layer].band.shape[1]; }
  // What to multiply the units with, [units]. Where the tape records, the weights are kept.
  Var factors(Tape& tape, std::size_t layer);
  // Those of this step, [1, units], until clear(); and the band that they were compared with.
  const Var& weights(std::size_t layer) const { return layers_[layer].seen; }
  const Tensor& band(std::size_t layer) const { return layers_[layer].band; }
  void clear();

  // [3, units] of the layer, as band_mask() takes it. Before anything is: all is decided, and every
  // factor 1. Between steps.
  void set_band(std::size_t layer, std::span<const float> values);

 private:
  struct Layer {
    Parameter* weights = nullptr;
    Block memory;
    Tensor band;
    Var seen;
  };

  Device& device_;
  double start_;
  std::deque<Layer> layers_;
};

}  // namespace edt
