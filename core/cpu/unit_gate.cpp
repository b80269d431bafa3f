// Few numbers beside the products around them: plain loops. Formulas: core/reference/unit_gate.cpp.
#include "core/ops/unit_gate.h"

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"
#include "core/ops/unit_gate_formula.h"

namespace edt {
namespace {

// f(row, column, logit with its draw) for each of the logits [B, n].
template <class F>
void for_each_logit(const Tensor& logits, const Tensor& noise, std::int64_t first, F&& f) {
  const std::int64_t n = logits.shape[1];
  with_float_type(logits.dtype, [&]<class E>(E) {
    for (std::int64_t b = 0; b < logits.shape[0]; ++b) {
      const E* z = logits.as<E>() + b * n;
      const float* draws =
          noise.defined() ? noise.as<float>() + b * noise.shape[1] + first : nullptr;
      for (std::int64_t i = 0; i < n; ++i) {
        f(b, i, static_cast<float>(z[i]) + (draws == nullptr ? 0.f : draws[i]));
      }
    }
  });
}

double gate_mean(const Tensor& gates, std::int64_t row) {
  const std::int64_t n = gates.shape[1];
  const float* from = gates.as<float>() + row * n;
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += double{from[i]};
  return sum / static_cast<double>(n);
}

// All of row `row` (+)= value.
void put_gate_row(const GradTarget& to, std::int64_t row, double value) {
  if (!to.wanted()) return;
  const std::int64_t n = to.tensor.shape[1];
  for (std::int64_t i = 0; i < n; ++i)
    put(to.tensor.as<float>()[row * n + i], value, to.accumulate);
}

double share_excess(const Tensor& share, const Tensor& target) {
  double sum = 0;
  for (const float one : share.span<float>()) sum += double{one};
  return sum / static_cast<double>(share.elements()) - double{target.as<float>()[0]};
}

}  // namespace

void CpuBackend::random_logistic(random::StreamKey key, T samples, T out) {
  parallel_ranges(out.shape[0], 1, [&](std::int64_t begin, std::int64_t end) {
    random::StreamKey own = key;
    for (std::int64_t b = begin; b < end; ++b) {
      own.sample = static_cast<std::uint32_t>(samples.as<std::int32_t>()[b]);
      random::fill_logistic(own, out.slice(b, b + 1).span<float>());
    }
  });
}

void CpuBackend::unit_gate_forward(T logits, T noise, std::int64_t first, T gates) {
  const std::int64_t all = gates.shape[1], lead = all - logits.shape[1];
  std::ranges::fill(gates.span<float>(), 1.f);
  float* const open = gates.as<float>();
  for_each_logit(logits, noise, first, [&](std::int64_t b, std::int64_t i, float z) {
    open[b * all + lead + i] = z > 0 ? 1.f : 0.f;
  });
}

void CpuBackend::unit_gate_backward(T dgates, T logits, T noise, std::int64_t first, double tau,
                                    G dlogits) {
  const std::int64_t n = logits.shape[1], all = dgates.shape[1], lead = all - n;
  const float* const d = dgates.as<float>();
  with_float_type(logits.dtype, [&]<class E>(E) {
    E* const to = dlogits.tensor.as<E>();
    for_each_logit(logits, noise, first, [&](std::int64_t b, std::int64_t i, float z) {
      const double slope = gate_slope(double{z}, tau);
      put(to[b * n + i], double{d[b * all + lead + i]} * slope, dlogits.accumulate);
    });
  });
}

void CpuBackend::unit_share_forward(T heads, T hidden, T tokens, double attention, double mlp,
                                    T share) {
  for (std::int64_t b = 0; b < share.shape[0]; ++b) {
    const double more =
        attention * gate_mean(heads, b) + mlp * gate_mean(hidden, b) * gate_mean(tokens, b);
    put(share.as<float>()[b], more, true);
  }
}

void CpuBackend::unit_share_backward(T dshare, T heads, T hidden, T tokens, double attention,
                                     double mlp, G dheads, G dhidden, G dtokens) {
  for (std::int64_t row = 0; row < heads.shape[0]; ++row) {
    const bool counts = row < dshare.shape[0];
    const double d = counts ? double{dshare.as<float>()[row]} : 0;
    put_gate_row(dheads, row, d * attention / static_cast<double>(heads.shape[1]));
    put_gate_row(dhidden, row,
                 d * mlp * gate_mean(tokens, row) / static_cast<double>(hidden.shape[1]));
    put_gate_row(dtokens, row,
                 d * mlp * gate_mean(hidden, row) / static_cast<double>(tokens.shape[1]));
  }
}

void CpuBackend::share_penalty_forward(T share, T target, T losses, T penalty) {
  const double off = share_excess(share, target);
  std::ranges::copy(share.span<float>(), losses.as<float>());
  penalty.as<float>()[0] = static_cast<float>(off * off);
}

void CpuBackend::share_penalty_backward(T dpenalty, T share, T target, G dshare) {
  const auto n = static_cast<double>(share.elements());
  const double each = 2 * share_excess(share, target) * double{dpenalty.as<float>()[0]} / n;
  for (float& one : dshare.tensor.span<float>()) put(one, each, dshare.accumulate);
}

}  // namespace edt
