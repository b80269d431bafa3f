// What becomes of the units of a model in the course of its pruning (DMAD, arXiv 2011.08382): the
// bound falls, what has left it is folded, layers of which little is left are decided, and at the
// target all are. Host alone, the same on all ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/pruning/units.h"

namespace edt {

// How the bound falls over the first three quarters of a run: 1 - s^(1/3) and 1 - s^(1/2) as
// published, which are down to a fifth after a tenth of the run, and 1 - s^2, which begins slowly.
enum class BoundCourse { kCube, kSquare, kLate };

// A share of the first bound; `progress` of the run, 0 to 1.
double bound_at(BoundCourse course, double progress);

struct PruningRules {
  double target = 1;     // share of a forward pass's products that is left
  double frozen = 0.85;  // share of a layer's units that are gone, beyond which the rest stays
  double least = 0.15;   // share of a layer's units that stays, one at least
  std::int64_t head_multiple = 1, hidden_multiple = 16;  // of what is left of a layer
  BoundCourse course = BoundCourse::kLate;
  double first_bound = 1;
};

class UnitDecisions {
 public:
  // `macs` of a forward pass of the whole model.
  UnitDecisions(std::vector<UnitLayer> layers, double macs, const PruningRules& rules);

  const std::vector<UnitLayer>& layers() const { return layers_; }
  // The share of products that is left at the least; a target below it cannot be reached.
  double least_share() const;

  // `weights` of all units, layer by layer, where so much of the bound's fall has passed, 0 to 1:
  // at 1 all is decided. Whether bounds or scales are others now.
  bool advance(double passed, std::span<const float> weights);
  bool done() const;
  // Of the products, by what is decided and by the factors of now.
  double share() const;

  // Of a layer, as UnitMasks takes it: bounds, scales, prices. Prices are shares of all products,
  // in units of the first bound.
  std::vector<float> band(std::size_t layer) const;
  // What units are multiplied with, all layers; 0: it is gone.
  const std::vector<float>& factors() const { return factors_; }
  // Whether a unit stays. Units that are kept to fill a multiple may have a factor of 0.
  const std::vector<bool>& stays() const { return stays_; }

  // Bounds, scales, factors and who stays, for checkpoints.
  std::vector<float> state() const;
  void restore(std::span<const float> state);

 private:
  std::size_t first_of(std::size_t layer) const { return first_[layer]; }
  bool decided(std::size_t layer) const { return bounds_[first_[layer]] < 0; }
  std::int64_t rounded(std::size_t layer, std::int64_t units) const;
  std::int64_t least_of(std::size_t layer) const;
  double share_of(std::span<const std::int64_t> counts) const;
  std::vector<std::int64_t> counts() const;
  void lower_bound_to(float bound, std::span<const float> weights);
  void freeze_thin_layers(std::span<const float> weights);
  // Units of a layer stay that are `wanted`, and others in the order of their weights, up to the
  // least that may be left and to a multiple.
  void decide(std::size_t layer, std::span<const float> weights);
  void cut_down_to_target(std::span<const float> weights);
  void look_at(std::span<const float> weights);

  std::vector<UnitLayer> layers_;
  double macs_;
  PruningRules rules_;
  std::vector<std::size_t> first_;  // of each layer, among all units
  std::vector<float> bounds_, scales_, factors_;
  std::vector<bool> stays_;
};

}  // namespace edt
