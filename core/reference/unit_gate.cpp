// A gate is [z > 0] with z = logit + draw; dlogit = dgate s (1 - s) / tau, s = sigmoid(z / tau). A
// share is a sum over blocks of A mean(a) + M mean(m) mean(k); d/da_i = A / H, d/dm_i = M mean(k) /
// G, d/dk_i = M mean(m) / T. A penalty is (mean(share) - target)^2.
#include "core/ops/unit_gate.h"

#include <numeric>

#include "core/ops/unit_gate_formula.h"
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// z of the logits [B, n].
Doubles drawn_logits(const Tensor& logits, const Tensor& noise, std::int64_t first) {
  Doubles z = load(logits);
  if (!noise.defined()) return z;
  const Doubles draws = load(noise);
  const std::int64_t n = logits.shape[1], all = noise.shape[1];
  for (std::size_t i = 0; i < z.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    z[i] += draws[static_cast<std::size_t>(at / n * all + first + at % n)];
  }
  return z;
}

double mean_of_row(const Doubles& values, std::int64_t row, std::int64_t columns) {
  const auto begin = values.begin() + row * columns;
  return std::accumulate(begin, begin + columns, 0.0) / static_cast<double>(columns);
}

}  // namespace

void ReferenceBackend::random_logistic(random::StreamKey key, T samples, T out) {
  for (std::int64_t b = 0; b < out.shape[0]; ++b) {
    key.sample = static_cast<std::uint32_t>(samples.as<std::int32_t>()[b]);
    random::fill_logistic(key, out.slice(b, b + 1).span<float>());
  }
}

void ReferenceBackend::unit_gate_forward(T logits, T noise, std::int64_t first, T gates) {
  const Doubles z = drawn_logits(logits, noise, first);
  const std::int64_t n = logits.shape[1], all = gates.shape[1], lead = all - n;
  Doubles open(static_cast<std::size_t>(gates.elements()), 1.0);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    open[static_cast<std::size_t>(at / n * all + lead + at % n)] = z[i] > 0 ? 1 : 0;
  }
  store(open, gates);
}

void ReferenceBackend::unit_gate_backward(T dgates, T logits, T noise, std::int64_t first,
                                          double tau, G dlogits) {
  Doubles z = drawn_logits(logits, noise, first);
  const Doubles d = load(dgates);
  const std::int64_t n = logits.shape[1], all = dgates.shape[1], lead = all - n;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    z[i] = d[static_cast<std::size_t>(at / n * all + lead + at % n)] * gate_slope(z[i], tau);
  }
  store(z, dlogits);
}

void ReferenceBackend::unit_share_forward(T heads, T hidden, T tokens, double attention, double mlp,
                                          T share) {
  const Doubles a = load(heads), m = load(hidden), k = load(tokens);
  Doubles sums = load(share);
  for (std::int64_t b = 0; b < share.shape[0]; ++b) {
    sums[static_cast<std::size_t>(b)] +=
        attention * mean_of_row(a, b, heads.shape[1]) +
        mlp * mean_of_row(m, b, hidden.shape[1]) * mean_of_row(k, b, tokens.shape[1]);
  }
  store(sums, share);
}

void ReferenceBackend::unit_share_backward(T dshare, T heads, T hidden, T tokens, double attention,
                                           double mlp, G dheads, G dhidden, G dtokens) {
  const Doubles d = load(dshare), m = load(hidden), k = load(tokens);
  const std::int64_t h = heads.shape[1], g = hidden.shape[1], t = tokens.shape[1];
  Doubles da(static_cast<std::size_t>(heads.elements()), 0.0);
  Doubles dm(m.size(), 0.0), dk(k.size(), 0.0);
  for (std::int64_t b = 0; b < dshare.shape[0]; ++b) {
    const double each = d[static_cast<std::size_t>(b)];
    std::fill_n(da.begin() + b * h, h, each * attention / static_cast<double>(h));
    std::fill_n(dm.begin() + b * g, g, each * mlp * mean_of_row(k, b, t) / static_cast<double>(g));
    std::fill_n(dk.begin() + b * t, t, each * mlp * mean_of_row(m, b, g) / static_cast<double>(t));
  }
  store(da, dheads);
  store(dm, dhidden);
  store(dk, dtokens);
}

void ReferenceBackend::share_penalty_forward(T share, T target, T losses, T penalty) {
  const Doubles values = load(share);
  const double off = mean_of_row(values, 0, share.elements()) - load(target)[0];
  store(values, losses);
  store(Doubles{off * off}, penalty);
}

void ReferenceBackend::share_penalty_backward(T dpenalty, T share, T target, G dshare) {
  const Doubles values = load(share);
  const double off = mean_of_row(values, 0, share.elements()) - load(target)[0];
  const double each = 2 * off * load(dpenalty)[0] / static_cast<double>(values.size());
  store(Doubles(values.size(), each), dshare);
}

}  // namespace edt
