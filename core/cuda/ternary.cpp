#include "core/cuda/kernels/ternary.h"

#include "core/cuda/backend.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

TernaryCall ternary_call(const Tensor& weight, const Tensor& sum, std::int64_t elements,
                         const Tensor& scale) {
  EDT_ASSERT(scale.dtype == weight.dtype);
  return {.dtype = element_of(weight),
          .n = weight.elements(),
          .weight = weight.data,
          .scale = scale.data,
          .sum = sum.as<float>(),
          .elements = elements};
}

}  // namespace

void CudaBackend::absolute_sum(T weight, T sum) {
  const TernaryCall call{
      .dtype = element_of(weight), .n = weight.elements(), .weight = weight.data};
  launch_absolute_sum(stream(), call,
                      scratch_.floats(ScratchSlot::kPartials, ternary_blocks(call.n)),
                      sum.as<float>());
}

void CudaBackend::ternary_quantize(T weight, T sum, Int elements, T scale, T value) {
  EDT_ASSERT(value.dtype == weight.dtype);
  TernaryCall call = ternary_call(weight, sum, elements, scale);
  call.value = value.data;
  launch_ternary_quantize(stream(), call);
}

void CudaBackend::ternary_gradient(T dvalue, T weight, T sum, Int elements, T scale, G dweight,
                                   G dscale) {
  TernaryCall call = ternary_call(weight, sum, elements, scale);
  call.dvalue = dvalue.as<float>();
  call.dweight = dweight.tensor.as<float>();
  call.accumulate = dweight.accumulate;
  launch_ternary_gradient(stream(), call,
                          scratch_.floats(ScratchSlot::kPartials, ternary_blocks(call.n)),
                          dscale.tensor.as<float>(), dscale.accumulate);
}

}  // namespace edt
