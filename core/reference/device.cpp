#include <cstring>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"
#include "core/reference/reference_backend.h"

namespace edt {

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

void ReferenceBackend::zero(T tensor) { std::memset(tensor.data, 0, tensor.bytes()); }

void ReferenceBackend::fill(T tensor, double value) {
  store(Doubles(static_cast<std::size_t>(tensor.elements()), value), tensor);
}

void ReferenceBackend::copy(T from, T to) {
  if (from.dtype == to.dtype) {
    EDT_ASSERT(from.elements() == to.elements());
    std::memcpy(to.data, from.data, to.bytes());
  } else {
    store(load(from), to);
  }
}

void ReferenceBackend::add_into(T from, T to) {
  EDT_ASSERT(from.shape == to.shape && from.dtype == to.dtype);
  store(load(from), GradTarget{to, true});
}

}  // namespace edt
