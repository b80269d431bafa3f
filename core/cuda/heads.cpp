#include "core/ops/heads.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/heads.h"
#include "core/cuda/kernels/slices.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

HeadCall call_of(const Tensor& qkv, const Tensor& norms, const Tensor& rotation) {
  require<NotImplemented>(qkv.shape[4] <= kMostHeadSize, "cuda",
                          "head_transform: heads of {} elements, at most {}", qkv.shape[4],
                          kMostHeadSize);
  const bool layer = norms.defined() && norms.shape[0] == 4;
  return {.dtype = element_of(qkv),
          .rows = qkv.shape[0] * qkv.shape[1],
          .places = rotation.defined() ? rotation.elements() / qkv.shape[4] : qkv.shape[1],
          .heads = qkv.shape[3],
          .size = static_cast<int>(qkv.shape[4]),
          .norms = norms.defined() ? norms.as<float>() : nullptr,
          .layer = layer,
          .epsilon = static_cast<float>(layer ? kHeadLayerEpsilon : kHeadRmsEpsilon),
          .rotation = rotation.defined() ? rotation.as<float>() : nullptr};
}

// Rows of [n, size] as columns of a tensor of one row.
ColumnView row_of(const Tensor& rows, std::int64_t row) {
  return {rows.slice(row, row + 1).data, rows.shape[1]};
}

}  // namespace

void CudaBackend::head_transform_forward(T qkv, T norms, T rotation, T y) {
  HeadCall call = call_of(qkv, norms, rotation);
  call.x = qkv.data;
  call.y = y.data;
  launch_heads_forward(stream(), call);
}

void CudaBackend::head_transform_backward(T dy, T qkv, T norms, T rotation, G dqkv, T dnorms) {
  HeadCall call = call_of(dy, norms, rotation);
  call.x = qkv.data;
  call.dy = dy.data;
  call.y = dqkv.tensor.data;
  call.accumulate = dqkv.accumulate;
  const std::int64_t slices = head_slices(call), floats = slices * 2 * call.size;
  if (norms.defined()) call.partials = scratch_.floats(ScratchSlot::kPartials, 2 * floats);
  launch_heads_backward(stream(), call);
  if (!norms.defined()) return;
  for (std::int64_t which = 0; which < 2; ++which) {
    launch_add_slices(stream(), {.partials = call.partials + which * floats,
                                 .batch = 1,
                                 .slices = slices,
                                 .width = call.size,
                                 .groups = 2,
                                 .to = {row_of(dnorms, which),
                                        call.layer ? row_of(dnorms, 2 + which) : ColumnView{}},
                                 .dtype = DType::kFloat32});
  }
}

}  // namespace edt
