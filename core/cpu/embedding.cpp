#include <cmath>

#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/typed.h"

namespace edt {

void CpuBackend::timestep_features(T t, T out) {
  const std::int64_t features = out.shape[1], half = features / 2;
  const float* times = t.as<float>();
  with_float_type(out.dtype, [&]<class E>(E) {
    E* to = out.as<E>();
    for (std::int64_t i = 0; i < half; ++i) {
      const double frequency =
          std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
      for (std::int64_t b = 0; b < out.shape[0]; ++b) {
        const double angle = times[b] * frequency;
        to[b * features + i] = E(static_cast<float>(std::cos(angle)));
        to[b * features + half + i] = E(static_cast<float>(std::sin(angle)));
      }
    }
  });
}

void CpuBackend::label_forward(T labels, T table, T out) {
  const std::int64_t n = table.shape[1];
  const Span rows{table.data, table.dtype}, to{out.data, out.dtype};
  for (std::int64_t b = 0; b < out.shape[0]; ++b) {
    convert(rows.from(labels.as<std::int32_t>()[b] * n), to.from(b * n), n);
  }
}

void CpuBackend::label_backward(T dy, T labels, G dtable) {
  if (!dtable.accumulate) zero(dtable.tensor);
  const std::int64_t n = dy.shape[1];
  const Span from{dy.data, dy.dtype}, rows{dtable.tensor.data, dtable.tensor.dtype};
  for (std::int64_t b = 0; b < dy.shape[0]; ++b) {
    convert(from.from(b * n), rows.from(labels.as<std::int32_t>()[b] * n), n, true);
  }
}

}  // namespace edt
