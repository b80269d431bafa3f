#include "model/weights.h"

namespace edt {

std::vector<Parameter*> parameter_pointers(ParameterList& parameters) {
  std::vector<Parameter*> pointers;
  for (Parameter& parameter : parameters.all()) pointers.push_back(&parameter);
  return pointers;
}

BoundWeights::BoundWeights(Device& device, ParameterList& parameters, const FlatLayout& layout,
                           std::span<float> weights, DType dtype) {
  EDT_ASSERT(static_cast<std::int64_t>(weights.size()) == layout.size());
  Tensor flat = view_of(weights, {layout.size()});
  if (dtype != DType::kFloat32 || !device.in_host_memory()) {
    copy_ = Block(device.memory(), weights.size() * size_of(dtype));
    flat = {copy_.data(), flat.shape, dtype};
    device.upload_floats(weights, flat);
  }
  std::size_t i = 0;
  for (Parameter& parameter : parameters.all()) {
    const FlatTensor& tensor = layout.tensor(i++);
    EDT_ASSERT(tensor.name == parameter.name);
    parameter.value = flat.slice(tensor.offset, tensor.end()).reshaped(parameter.shape);
  }
}

}  // namespace edt
