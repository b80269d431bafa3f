#include "core/ops/unit_mask.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/unit_mask.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

BandCall band_call(const Tensor& weights, const Tensor& band) {
  return {weights.elements(), weights.as<float>(), band.as<float>()};
}

MaskUnitsCall mask_units_call(const Tensor& x, const Tensor& factors) {
  const std::int64_t units = factors.shape.columns();
  return {.dtype = element_of(x),
          .rows = x.shape[0],
          .units = units,
          .size = x.shape[1] / units,
          .x = x.data,
          .own_rows = x.shape[0] / factors.shape.rows(),
          .factors = factors.as<float>()};
}

}  // namespace

void CudaBackend::band_mask_forward(T weights, T band, T factors) {
  launch_band_mask_forward(stream(), band_call(weights, band), factors.as<float>());
}

void CudaBackend::band_mask_backward(T dfactors, T weights, T band, G dweights) {
  launch_band_mask_backward(stream(), band_call(weights, band), dfactors.as<float>(),
                            dweights.tensor.as<float>(), dweights.accumulate);
}

void CudaBackend::band_sparsity_forward(SparsityForm form, T weights, T band, T losses, T sum) {
  launch_band_sparsity_forward(stream(), band_call(weights, band), form, losses.as<float>(),
                               losses.elements(), sum.as<float>());
}

void CudaBackend::band_sparsity_backward(SparsityForm form, T dsum, T sum, T weights, T band,
                                         G dweights) {
  launch_band_sparsity_backward(stream(), band_call(weights, band), form, dsum.as<float>(),
                                sum.as<float>(), dweights.tensor.as<float>(), dweights.accumulate);
}

void CudaBackend::mask_units_forward(T x, T factors, T y) {
  MaskUnitsCall call = mask_units_call(x, factors);
  call.y = y.data;
  launch_mask_units_forward(stream(), call);
}

void CudaBackend::mask_units_backward(T dy, T x, T factors, G dx, G dfactors) {
  MaskUnitsCall call = mask_units_call(x, factors);
  call.dy = dy.data;
  if (dx.wanted()) call.y = dx.tensor.data;
  call.accumulate = dx.accumulate;
  call.partials = scratch_.floats(ScratchSlot::kPartials, mask_unit_slices(call.rows) * x.shape[1]);
  if (dfactors.wanted()) call.dfactors = dfactors.tensor.as<float>();
  call.accumulate_factors = dfactors.accumulate;
  launch_mask_units_backward(stream(), call);
}

}  // namespace edt
