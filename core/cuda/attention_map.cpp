#include "core/cuda/kernels/attention_map.h"

#include "core/cuda/backend.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

AttentionMapCall call_of(const Tensor& x) {
  check_batch("attention_map", x.shape[0]);
  return {.dtype = element_of(x),
          .batch = x.shape[0],
          .tokens = static_cast<int>(x.shape[1]),
          .width = static_cast<int>(x.shape[2]),
          .floor = static_cast<float>(kAttentionMapFloor),
          .x = x.data};
}

}  // namespace

void CudaBackend::attention_map_forward(T x, T map, T norms) {
  launch_attention_map_forward(stream(), call_of(x), map.as<float>(), norms.as<float>());
}

void CudaBackend::attention_map_backward(T dmap, T x, T map, T norms, G dx) {
  if (!dx.wanted()) return;
  launch_attention_map_backward(stream(), call_of(x), dmap.as<float>(), map.as<float>(),
                                norms.as<float>(), dx.tensor.data, dx.accumulate);
}

}  // namespace edt
