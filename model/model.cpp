#include "model/model.h"

#include "core/base/error.h"

namespace edt {

Var Model::forward_passes(Tape&, const ModelInputs&, const PassMasks&) {
  fail<UsageError>("objective", "a masked pass is asked for, but {} has none", name());
}

std::vector<Var> Model::forward_groups(Tape&, const ModelInputs&, std::span<const VisibleTokens>) {
  fail<UsageError>("objective", "tokens are to be in groups, and those of {} cannot", name());
}

void Model::begin_masks(Device& device) {
  if (!common_.masks.is_on()) return;
  unit_masks_ = std::make_unique<UnitMasks>(device, common_.masks.start);
}

Tensor Model::constant(Device& device, const std::vector<float>& values, const Shape& shape,
                       DType dtype) {
  Tensor tensor{nullptr, shape, dtype};
  tensor.data = memory_.emplace_back(device.memory(), tensor.bytes()).data();
  device.upload_floats(values, tensor);
  return tensor;
}

}  // namespace edt
