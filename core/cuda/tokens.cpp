// Which kernels move the rows of passes that drop tokens.
#include "core/cuda/kernels/tokens.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

// `to` takes rows of `from` by `index`, both of as many samples.
MoveRows move(const Tensor& from, const Tensor& index, const Tensor& to, bool accumulate) {
  EDT_ASSERT(from.dtype == to.dtype);
  check_batch("tokens", to.shape[0]);
  check_batch("tokens", to.shape[1]);  // rows are blocks too
  return {.dtype = element_of(to),
          .from = from.data,
          .to = to.data,
          .index = index.as<std::int32_t>(),
          .batch = to.shape[0],
          .rows = to.shape[1],
          .from_rows = from.shape[1],
          .width = to.shape[2],
          .accumulate = accumulate};
}

SelectRows select(const Tensor& places, const Tensor& y, bool accumulate) {
  return {.dtype = element_of(y),
          .y = y.data,
          .places = places.as<std::int32_t>(),
          .rows = y.shape[0] * y.shape[1],
          .width = y.shape[2],
          .accumulate = accumulate};
}

}  // namespace

void CudaBackend::gather_tokens_forward(T x, Visible visible, T y) {
  launch_move_rows(stream(), move(x, visible.ids, y, false));
}

void CudaBackend::gather_tokens_backward(T dy, Visible visible, G dx) {
  launch_move_rows(stream(), move(dy, visible.places, dx.tensor, dx.accumulate));
}

void CudaBackend::restore_tokens_forward(T x, Visible visible, T token, T y) {
  MoveRows call = move(x, visible.places, y, false);
  EDT_ASSERT(token.dtype == y.dtype);
  call.fill = token.data;
  launch_move_rows(stream(), call);
}

void CudaBackend::restore_tokens_backward(T dy, Visible visible, G dx, G dtoken) {
  if (dx.wanted()) launch_move_rows(stream(), move(dy, visible.ids, dx.tensor, dx.accumulate));
  if (!dtoken.wanted()) return;
  const std::int64_t batch = dy.shape[0], rows = dy.shape[1], width = dy.shape[2];
  float* sums = scratch_.floats(ScratchSlot::kPartials, batch * width);
  launch_dropped_sums(stream(), element_of(dy), dy.data, visible.places.as<std::int32_t>(), sums,
                      batch, rows, width);
  launch_sum_samples(stream(), DType::kFloat32, sums, dtoken.tensor.as<float>(), batch, width,
                     dtoken.accumulate);
}

void CudaBackend::select_tokens_forward(T visible_rows, T dropped_rows, Visible visible, T y) {
  SelectRows call = select(visible.places, y, false);
  call.a = visible_rows.data;
  call.b = dropped_rows.data;
  launch_select_rows(stream(), call);
}

void CudaBackend::select_tokens_backward(T dy, Visible visible, G dvisible_rows, G ddropped_rows) {
  const auto part = [&](G target, bool of_visible) {
    if (!target.wanted()) return;
    SelectRows call = select(visible.places, target.tensor, target.accumulate);
    (of_visible ? call.a : call.b) = dy.data;
    launch_select_rows(stream(), call);
  };
  part(dvisible_rows, true);
  part(ddropped_rows, false);
}

void CudaBackend::add_positions_forward(T x, T positions, T y) {
  launch_add_rows(stream(), element_of(y), x.data, {positions.data, x.shape[1]}, y.data,
                  x.shape[0] * x.shape[1], x.shape[2]);
}

void CudaBackend::add_positions_backward(T dy, G dpositions) {
  launch_sum_samples(stream(), element_of(dy), dy.data, dpositions.tensor.as<float>(), dy.shape[0],
                     dpositions.tensor.elements(), dpositions.accumulate);
}

}  // namespace edt
