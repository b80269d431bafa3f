#include "core/cuda/backend.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/typed.h"

namespace edt {

void CudaBackend::activation_forward(Activation kind, T x, T y) {
  launch_activation(stream(), element_of(x), kind, x.data, y.data, x.elements());
}

void CudaBackend::activation_backward(Activation kind, T dy, T x, G dx) {
  launch_activation_backward(stream(), element_of(x), kind, dy.data, x.data, dx.tensor.data,
                             x.elements(), dx.accumulate);
}

void CudaBackend::silu_gate_forward(T h, T y) {
  launch_silu_gate(stream(), element_of(h), h.data, y.data, y.shape[0], y.shape[1]);
}

// The kernel that SwiGLU's backward has makes y of the gradient that it is given: it gets a copy.
void CudaBackend::silu_gate_backward(T dy, T h, G dh) {
  if (!dh.wanted()) return;
  Tensor d = dy, to = dh.tensor;
  d.data = scratch_.bytes(ScratchSlot::kActivated, dy.bytes());
  if (dh.accumulate) to.data = scratch_.bytes(ScratchSlot::kHidden, to.bytes());
  copy(dy, d);
  launch_silu_gate_again(stream(), element_of(h), h.data, d.data, to.data, dy.shape[0],
                         dy.shape[1]);
  if (dh.accumulate) add_into(to, dh.tensor);
}

void CudaBackend::add_forward(T a, T b, T y) {
  launch_add(stream(), element_of(a), a.data, b.data, y.data, a.elements());
}

}  // namespace edt
