// Few rows, as many as a batch has samples: plain loops over columns, whose sums are doubles.
#include "core/ops/affine_modulation.h"

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
void CpuBackend::affine_modulation_forward(T m, T scale, T shift, T y) {
  with_float_type(m.dtype, [&]<class E>(E) {
    const std::int64_t rows = m.shape[0], n = m.shape[1];
    const auto of = [](const Tensor& tensor, std::int64_t at) {
      return static_cast<float>(tensor.as<E>()[at]);
    };
    parallel_ranges(n, kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = begin; j < end; ++j) {
          y.as<E>()[i * n + j] = E(of(shift, j) + of(m, i * n + j) * (1 + of(scale, j)));
        }
      }
    });
  });
}

void CpuBackend::affine_modulation_backward(T dy, T m, T scale, G dm, G dscale, G dshift) {
  with_float_type(m.dtype, [&]<class E>(E) {
    const std::int64_t rows = m.shape[0], n = m.shape[1];
    const auto of = [](const Tensor& tensor, std::int64_t at) {
      return static_cast<float>(tensor.as<E>()[at]);
    };
    parallel_ranges(n, kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        double to_scale = 0, to_shift = 0;
        for (std::int64_t i = 0; i < rows; ++i) {
          const float d = of(dy, i * n + j);
          to_scale += double{d} * of(m, i * n + j);
          to_shift += d;
        }
        put(dscale.tensor.as<float>()[j], to_scale, dscale.accumulate);
        put(dshift.tensor.as<float>()[j], to_shift, dshift.accumulate);
      }
      if (!dm.wanted()) return;
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = begin; j < end; ++j) {
          put(dm.tensor.as<E>()[i * n + j], double{of(dy, i * n + j)} * (1 + of(scale, j)),
              dm.accumulate);
        }
      }
    });
  });
}

}  // namespace edt
