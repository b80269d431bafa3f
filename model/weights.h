// Points a model at weights that lie in a flat float32 buffer: to sample from the moving average or
// from a checkpoint.
#pragma once

#include <span>
#include <vector>

#include "core/tensor/device.h"
#include "model/parameters.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

std::vector<Parameter*> parameter_pointers(ParameterList& parameters);

class BoundWeights {
 public:
  // Parameter values become views of `weights` (host memory, the layout's size), or of a copy where
  // the device or `dtype` needs one. Both must outlive the model's use.
  BoundWeights(Device& device, ParameterList& parameters, const FlatLayout& layout,
               std::span<float> weights, DType dtype);

  std::size_t copy_bytes() const { return copy_.bytes(); }

 private:
  Block copy_;
};

}  // namespace edt
