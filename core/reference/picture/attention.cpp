#include <algorithm>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"
#include "core/reference/matrix.h"

namespace edt {

void ReferenceBackend::wide_attention(T q, T k, T v, T y) {
  const std::int64_t tokens = q.shape[1], width = q.shape[2];
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  Doubles out;
  for (std::int64_t n = 0; n < q.shape[0]; ++n) {
    const auto sample = [&](T t) { return load(t.slice(n, n + 1)); };
    Doubles scores =
        multiply(sample(q), transposed(sample(k), tokens, width), tokens, width, tokens);
    for (std::int64_t row = 0; row < tokens; ++row) {
      double* s = scores.data() + row * tokens;
      const double most = *std::max_element(s, s + tokens);
      double sum = 0;
      for (std::int64_t i = 0; i < tokens; ++i) sum += s[i] = std::exp((s[i] - most) * scale);
      for (std::int64_t i = 0; i < tokens; ++i) s[i] /= sum;
    }
    const Doubles one = multiply(scores, sample(v), tokens, tokens, width);
    out.insert(out.end(), one.begin(), one.end());
  }
  store(out, y);
}

void ReferenceBackend::relu_linear_attention(T qkv, std::int64_t size, double epsilon, T y) {
  const Doubles in = load(qkv);
  Doubles out(static_cast<std::size_t>(y.elements()));
  const std::int64_t tokens = qkv.shape[1], width = qkv.shape[2], heads = width / (3 * size);
  const auto relu = [](double x) { return x > 0 ? x : 0; };
  for (std::int64_t n = 0; n < qkv.shape[0]; ++n) {
    for (std::int64_t h = 0; h < heads; ++h) {
      // sums[i][j] = sum over tokens of f(k)_i v_j, and of f(k)_i alone behind them
      Doubles sums(static_cast<std::size_t>(size * (size + 1)));
      const auto head = [&](std::int64_t t) {
        return in.data() + (n * tokens + t) * width + h * 3 * size;
      };
      for (std::int64_t t = 0; t < tokens; ++t) {
        const double *k = head(t) + size, *v = head(t) + 2 * size;
        for (std::int64_t i = 0; i < size; ++i) {
          for (std::int64_t j = 0; j < size; ++j) sums[i * (size + 1) + j] += relu(k[i]) * v[j];
          sums[i * (size + 1) + size] += relu(k[i]);
        }
      }
      for (std::int64_t t = 0; t < tokens; ++t) {
        const double* q = head(t);
        double below = epsilon;
        for (std::int64_t i = 0; i < size; ++i) below += relu(q[i]) * sums[i * (size + 1) + size];
        double* to = out.data() + (n * tokens + t) * heads * size + h * size;
        for (std::int64_t j = 0; j < size; ++j) {
          double sum = 0;
          for (std::int64_t i = 0; i < size; ++i) sum += relu(q[i]) * sums[i * (size + 1) + j];
          to[j] = sum / below;
        }
      }
    }
  }
  store(out, y);
}

}  // namespace edt
