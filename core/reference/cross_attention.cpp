// Per sample and head: s = q k^T / sqrt(d) over the keys that are there, p = softmax(s), o = p v.
// Backward: dv = p^T do, dp = do v^T, ds = p (dp - row sum of p dp), dq = ds k / sqrt(d),
// dk = ds^T q / sqrt(d). Neither out nor lse is needed here.
#include <algorithm>
#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

struct CrossGeometry {
  std::int64_t batch, queries, keys, heads, size;
  double scale;
  Doubles lengths;

  CrossGeometry(const Tensor& q, const Tensor& kv, const Tensor& length)
      : batch(q.shape[0]),
        queries(q.shape[1]),
        keys(kv.shape[1]),
        heads(q.shape[2]),
        size(q.shape[3]),
        scale(1.0 / std::sqrt(static_cast<double>(size))),
        lengths(load(length)) {}

  std::int64_t count(std::int64_t b) const { return static_cast<std::int64_t>(lengths[b]); }
  std::int64_t query_at(std::int64_t b, std::int64_t i, std::int64_t head) const {
    return ((b * queries + i) * heads + head) * size;
  }
  // Of k (which = 0) or v (1).
  std::int64_t key_at(std::int64_t b, std::int64_t j, int which, std::int64_t head) const {
    return (((b * keys + j) * 2 + which) * heads + head) * size;
  }
};

double product(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void add_times(double factor, const double* x, double* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

// Probabilities of the keys of one query, and the log sum exp of their logits.
std::pair<Doubles, double> probabilities(const CrossGeometry& g, const Doubles& q,
                                         const Doubles& kv, std::int64_t b, std::int64_t head,
                                         std::int64_t i) {
  Doubles p(static_cast<std::size_t>(g.count(b)));
  if (p.empty()) return {p, 0};
  for (std::int64_t j = 0; j < g.count(b); ++j) {
    p[j] = product(&q[g.query_at(b, i, head)], &kv[g.key_at(b, j, 0, head)], g.size) * g.scale;
  }
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& value : p) sum += value = std::exp(value - largest);
  for (double& value : p) value /= sum;
  return {p, largest + std::log(sum)};
}

// f(sample, head, query)
template <class F>
void for_each_query(const CrossGeometry& g, F f) {
  for (std::int64_t b = 0; b < g.batch; ++b) {
    for (std::int64_t head = 0; head < g.heads; ++head) {
      for (std::int64_t i = 0; i < g.queries; ++i) f(b, head, i);
    }
  }
}

}  // namespace

void ReferenceBackend::cross_attention_forward(T q, T kv, T lengths, T out, T lse) {
  const CrossGeometry g(q, kv, lengths);
  const Doubles queries = load(q), keys = load(kv);
  Doubles result(queries.size(), 0.0), sums;
  for_each_query(g, [&](auto b, auto head, auto i) {
    const auto [p, log_sum] = probabilities(g, queries, keys, b, head, i);
    sums.push_back(log_sum);
    for (std::int64_t j = 0; j < g.count(b); ++j) {
      add_times(p[j], &keys[g.key_at(b, j, 1, head)], &result[g.query_at(b, i, head)], g.size);
    }
  });
  store(result, out);
  if (lse.defined()) store(sums, lse);
}

void ReferenceBackend::cross_attention_backward(T dout, T q, T kv, T lengths, T, T, G dq, G dkv) {
  const CrossGeometry g(q, kv, lengths);
  const Doubles queries = load(q), keys = load(kv), d = load(dout);
  Doubles dqueries(queries.size(), 0.0), dkeys(keys.size(), 0.0);
  for_each_query(g, [&](auto b, auto head, auto i) {
    const Doubles p = probabilities(g, queries, keys, b, head, i).first;
    const std::int64_t at = g.query_at(b, i, head);
    Doubles dp(p.size());
    for (std::int64_t j = 0; j < g.count(b); ++j) {
      add_times(p[j], &d[at], &dkeys[g.key_at(b, j, 1, head)], g.size);
      dp[j] = product(&d[at], &keys[g.key_at(b, j, 1, head)], g.size);
    }
    const double delta = product(p.data(), dp.data(), g.count(b));
    for (std::int64_t j = 0; j < g.count(b); ++j) {
      const double ds = p[j] * (dp[j] - delta) * g.scale;
      add_times(ds, &keys[g.key_at(b, j, 0, head)], &dqueries[at], g.size);
      add_times(ds, &queries[at], &dkeys[g.key_at(b, j, 0, head)], g.size);
    }
  });
  store(dqueries, dq);
  store(dkeys, dkv);
}

}  // namespace edt
