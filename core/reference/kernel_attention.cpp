// With S = sum f(k)_i (v, 1), n = f(q) S[.., d] and m = f(q) . S[d] + epsilon, y = n / m:
//   dn = dy / m, dm = - dy . y / m;  df(q) = S (dn, dm);  dS = sum over queries of f(q) (dn, dm)
//   df(k) = dS (v, 1);  dv = f(k) dS[.., d];  dq and dk are zero where f is.
#include "core/ops/kernel_attention.h"

#include <algorithm>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// Where a head's rows lie in [B, T, H, d].
struct HeadRows {
  std::int64_t tokens, heads, size;

  explicit HeadRows(const Tensor& x) : tokens(x.shape[1]), heads(x.shape[2]), size(x.shape[3]) {}
  std::int64_t at(std::int64_t head, std::int64_t token) const {
    return ((head / heads * tokens + token) * heads + head % heads) * size;
  }
};

double feature(double x) { return std::max(0.0, x); }

}  // namespace

void ReferenceBackend::kernel_attention_forward(T q, T k, T v, T state, T y) {
  const HeadRows queries(q), keys(k);
  const std::int64_t size = queries.size, width = size + 1;
  const Doubles qs = load(q), ks = load(k), vs = load(v);
  Doubles sums(static_cast<std::size_t>(state.elements()), 0.0), out(qs.size());
  for (std::int64_t head = 0; head < q.shape[0] * queries.heads; ++head) {
    double* const s = sums.data() + head * size * width;
    for (std::int64_t t = 0; t < keys.tokens; ++t) {
      for (std::int64_t i = 0; i < size; ++i) {
        const double f = feature(ks[keys.at(head, t) + i]);
        for (std::int64_t j = 0; j < size; ++j) s[i * width + j] += f * vs[keys.at(head, t) + j];
        s[i * width + size] += f;
      }
    }
    for (std::int64_t t = 0; t < queries.tokens; ++t) {
      const std::int64_t at = queries.at(head, t);
      double below = kKernelAttentionEpsilon;
      for (std::int64_t i = 0; i < size; ++i) below += feature(qs[at + i]) * s[i * width + size];
      for (std::int64_t j = 0; j < size; ++j) {
        double above = 0;
        for (std::int64_t i = 0; i < size; ++i) above += feature(qs[at + i]) * s[i * width + j];
        out[at + j] = above / below;
      }
    }
  }
  store(sums, state);
  store(out, y);
}

void ReferenceBackend::kernel_attention_backward(T dy, T q, T k, T v, T state, T y, G dq, G dk,
                                                 G dv) {
  const HeadRows queries(q), keys(k);
  const std::int64_t size = queries.size, width = size + 1;
  const Doubles d = load(dy), qs = load(q), ks = load(k), vs = load(v), ys = load(y),
                sums = load(state);
  Doubles dqs(qs.size()), dks(ks.size()), dvs(vs.size());
  for (std::int64_t head = 0; head < q.shape[0] * queries.heads; ++head) {
    const double* const s = sums.data() + head * size * width;
    Doubles ds(static_cast<std::size_t>(size * width), 0.0), row(static_cast<std::size_t>(width));
    for (std::int64_t t = 0; t < queries.tokens; ++t) {
      const std::int64_t at = queries.at(head, t);
      double below = kKernelAttentionEpsilon;
      for (std::int64_t i = 0; i < size; ++i) below += feature(qs[at + i]) * s[i * width + size];
      row[size] = 0;
      for (std::int64_t j = 0; j < size; ++j) {
        row[j] = d[at + j] / below;
        row[size] -= d[at + j] * ys[at + j] / below;
      }
      for (std::int64_t i = 0; i < size; ++i) {
        double arrives = 0;
        for (std::int64_t j = 0; j < width; ++j) {
          arrives += s[i * width + j] * row[j];
          ds[i * width + j] += feature(qs[at + i]) * row[j];
        }
        dqs[at + i] = qs[at + i] > 0 ? arrives : 0;
      }
    }
    for (std::int64_t t = 0; t < keys.tokens; ++t) {
      const std::int64_t at = keys.at(head, t);
      for (std::int64_t i = 0; i < size; ++i) {
        double to_key = ds[i * width + size];
        for (std::int64_t j = 0; j < size; ++j) {
          to_key += ds[i * width + j] * vs[at + j];
          dvs[at + j] += feature(ks[at + i]) * ds[i * width + j];
        }
        dks[at + i] = ks[at + i] > 0 ? to_key : 0;
      }
    }
  }
  store(dqs, dq);
  store(dks, dk);
  store(dvs, dv);
}

}  // namespace edt
