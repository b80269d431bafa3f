#include "core/cuda/backend.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/typed.h"

namespace edt {

void CudaBackend::activation_forward(Activation kind, T x, T y) {
  launch_activation(stream(), element_of(x), kind == Activation::kGeluTanh, x.data, y.data,
                    x.elements());
}

void CudaBackend::activation_backward(Activation kind, T dy, T x, G dx) {
  launch_activation_backward(stream(), element_of(x), kind == Activation::kGeluTanh, dy.data,
                             x.data, dx.tensor.data, x.elements(), dx.accumulate);
}

void CudaBackend::add_forward(T a, T b, T y) {
  launch_add(stream(), element_of(a), a.data, b.data, y.data, a.elements());
}

}  // namespace edt
