#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::timestep_features(T t, T out) {
  const std::int64_t features = out.shape[1], half = features / 2;
  const Doubles times = load(t);
  Doubles result(static_cast<std::size_t>(out.elements()));
  for (std::int64_t b = 0; b < out.shape[0]; ++b) {
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle =
          times[b] * std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
      result[b * features + i] = std::cos(angle);
      result[b * features + half + i] = std::sin(angle);
    }
  }
  store(result, out);
}

void ReferenceBackend::label_forward(T labels, T table, T out) {
  const std::int64_t width = table.shape[1];
  const Doubles rows = load(table);
  Doubles result;
  for (const std::int32_t label : labels.span<std::int32_t>()) {
    const auto row = rows.begin() + label * width;
    result.insert(result.end(), row, row + width);
  }
  store(result, out);
}

void ReferenceBackend::label_backward(T dy, T labels, G dtable) {
  const std::int64_t width = dy.shape[1];
  const Doubles d = load(dy);
  Doubles result(static_cast<std::size_t>(dtable.tensor.elements()), 0.0);
  for (std::int64_t b = 0; b < dy.shape[0]; ++b) {
    const std::int64_t row = labels.as<std::int32_t>()[b];
    for (std::int64_t i = 0; i < width; ++i) result[row * width + i] += d[b * width + i];
  }
  store(result, dtable);
}

}  // namespace edt
