// The modulated norms: what their rows are gathered from.
#include "core/cuda/backend.h"
#include "core/cuda/kernels/norm.h"
#include "core/cuda/kernels/slices.h"
#include "core/cuda/norm_calls.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

NormCall rows_of(const Tensor& y, int parts, const Tensor& first, const Tensor& second) {
  return {.dtype = element_of(y),
          .batch = y.shape[0],
          .tokens = y.shape[1],
          .width = y.shape[2],
          .parts = parts,
          .x = {first.data, second.data}};
}

NormCall merged_rows(const Tensor& y, const Tensor& x, const TokenGrid& grid, const Tensor& mask) {
  NormCall call = rows_of(y, 4, x, {});
  call.rows = static_cast<int>(grid.rows);
  call.columns = static_cast<int>(grid.columns);
  call.mask = mask.defined() ? mask.as<float>() : nullptr;
  return call;
}

void forward(cudaStream_t stream, NormCall call, const Columns& shift, const Columns& scale,
             const Tensor& y, const Tensor& stats, double epsilon = kNormEpsilon) {
  EDT_ASSERT(!shift.tensor.defined() || shift.tensor.dtype == y.dtype);
  EDT_ASSERT(scale.tensor.dtype == y.dtype);
  call.shift = view_of(shift);
  call.scale = view_of(scale);
  call.stats = stats.as<float>();
  call.y = y.data;
  const RowPlan plan = forward_plan(call.tokens, call.width, norm_vectors(call));
  check_norm("modulated_norm", plan, call);
  launch_norm_forward(stream, plan, call, static_cast<float>(epsilon));
}

// `call` completed, and started; returns the number of slices.
std::int64_t start_backward(cudaStream_t stream, CudaScratch& scratch, NormCall& call,
                            const Tensor& dy, const Tensor& stats, const Columns& scale,
                            bool sums) {
  EDT_ASSERT(scale.tensor.dtype == dy.dtype);
  call.scale = view_of(scale);
  call.stats = stats.as<float>();
  call.dy = dy.data;
  const RowPlan plan = backward_plan(call.batch, call.tokens, call.width, norm_vectors(call));
  check_norm("modulated_norm", plan, call);
  if (sums) {
    call.partials =
        scratch.floats(ScratchSlot::kPartials, call.batch * plan.slices * 2 * call.width);
  }
  launch_norm_backward(stream, plan, call);
  return plan.slices;
}

void backward(cudaStream_t stream, CudaScratch& scratch, NormCall call, const Tensor& dy,
              const Tensor& stats, const Columns& scale, const Columns& dshift,
              const Columns& dscale) {
  const bool sums = dshift.tensor.defined() || dscale.tensor.defined();
  const std::int64_t slices = start_backward(stream, scratch, call, dy, stats, scale, sums);
  if (!sums) return;
  launch_add_slices(stream, {.partials = call.partials,
                             .batch = call.batch,
                             .slices = slices,
                             .width = call.width,
                             .groups = 2,
                             .to = {view_of(dshift), view_of(dscale)},
                             .dtype = dy.dtype});
}

}  // namespace

void CudaBackend::modulated_norm_forward(T x, C shift, C scale, T y, T stats) {
  forward(stream(), rows_of(y, 1, x, {}), shift, scale, y, stats);
}

void CudaBackend::modulated_norm_backward(T dy, T x, T stats, C scale, G dx, C dshift, C dscale) {
  NormCall call = rows_of(dy, 1, x, {});
  call.dx[0] = dx.tensor.data;
  call.accumulate[0] = dx.accumulate;
  backward(stream(), scratch_, call, dy, stats, scale, dshift, dscale);
}

void CudaBackend::affine_norm_forward(T x, C shift, C scale, T y, T stats) {
  forward(stream(), rows_of(y, 1, x, {}), shift, scale, y, stats, kAffineNormEpsilon);
}

void CudaBackend::affine_norm_backward(T dy, T x, T stats, C scale, G dx, C dshift, C dscale) {
  modulated_norm_backward(dy, x, stats, scale, dx, dshift, dscale);
}

void CudaBackend::modulated_rms_norm_forward(T x, T weight, C shift, C scale, T y, T stats) {
  EDT_ASSERT(weight.dtype == y.dtype);
  NormCall call = rows_of(y, 1, x, {});
  call.weight = weight.data;
  forward(stream(), call, shift, scale, y, stats);
}

void CudaBackend::modulated_rms_norm_backward(T dy, T x, T weight, T stats, C scale, G dx,
                                              G dweight, C dshift, C dscale) {
  EDT_ASSERT(weight.dtype == dy.dtype);
  NormCall call = rows_of(dy, 1, x, {});
  call.weight = weight.data;
  call.dx[0] = dx.tensor.data;
  call.accumulate[0] = dx.accumulate;
  const std::int64_t slices = start_backward(stream(), scratch_, call, dy, stats, scale, true);
  launch_rms_sums(stream(), {.dtype = call.dtype,
                             .partials = call.partials,
                             .batch = call.batch,
                             .slices = slices,
                             .width = call.width,
                             .weight = weight.data,
                             .scale = view_of(scale),
                             .dshift = view_of(dshift),
                             .dscale = view_of(dscale),
                             .dweight = dweight.tensor.as<float>(),
                             .accumulate = dweight.accumulate});
}

void CudaBackend::merge_norm_forward(T x, Grid grid, C shift, C scale, T mask, T y, T stats) {
  forward(stream(), merged_rows(y, x, grid, mask), shift, scale, y, stats);
}

void CudaBackend::merge_norm_backward(T dy, T x, Grid grid, T stats, C scale, T mask, G dx,
                                      C dshift, C dscale) {
  NormCall call = merged_rows(dy, x, grid, mask);
  call.dx[0] = dx.tensor.data;
  call.accumulate[0] = dx.accumulate;
  backward(stream(), scratch_, call, dy, stats, scale, dshift, dscale);
}

void CudaBackend::concat_norm_forward(T a, T b, C shift, C scale, T y, T stats) {
  forward(stream(), rows_of(y, 2, a, b), shift, scale, y, stats);
}

void CudaBackend::concat_norm_backward(T dy, T a, T b, T stats, C scale, G da, G db, C dshift,
                                       C dscale) {
  NormCall call = rows_of(dy, 2, a, b);
  call.dx[0] = da.tensor.data;
  call.dx[1] = db.tensor.data;
  call.accumulate[0] = da.accumulate;
  call.accumulate[1] = db.accumulate;
  backward(stream(), scratch_, call, dy, stats, scale, dshift, dscale);
}

}  // namespace edt
