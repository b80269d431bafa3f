// What pruning makes of the weights of a model: factors of units folded into the columns behind
// them, and the rows and columns of units that are gone left out. On the host.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor/shape.h"
#include "model/pruning/units.h"

namespace edt {

class UnitCut {
 public:
  // Of all units, layer by layer: what they are multiplied with, and whether they stay.
  UnitCut(const ModelConfig& whole, const std::vector<UnitLayer>& layers,
          std::vector<float> factors, std::vector<bool> stays);

  // The model of what stays: model.block-heads and model.block-hidden.
  ModelConfig model() const;

  // `values` of the tensor of that name and shape times the factors: the whole model then computes
  // without masks what it computed with them. Tensors that no unit is in stay as they are.
  void fold(std::string_view tensor, const Shape& shape, std::span<float> values) const;
  // Of `values` that are folded what the smaller model has.
  std::vector<float> cut(std::string_view tensor, const Shape& shape,
                         std::span<const float> values) const;

 private:
  struct Layer {
    UnitLayer of;
    std::size_t first = 0;  // among all units
    std::int64_t head_size = 0;
  };
  // How a tensor has the units of a layer: as `size` rows or columns each, `chunks` times.
  struct Place {
    const Layer* layer = nullptr;
    bool columns = false;
    std::int64_t chunks = 1, size = 1;
    bool folded = false;  // it is multiplied with what units give
  };
  std::optional<Place> place_of(std::string_view tensor) const;

  ModelConfig whole_;
  std::vector<Layer> layers_;
  std::vector<float> factors_;
  std::vector<bool> stays_;
};

}  // namespace edt
