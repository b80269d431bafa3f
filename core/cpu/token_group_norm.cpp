// A sample has one thread: sums over its tokens are kept channel by channel, in vectors, and put
// together group by group in double. Formulas: core/reference/token_group_norm.cpp.
#include "core/ops/token_group_norm.h"

#include <cmath>

#include "core/cpu/kernels.h"
#include "core/cpu/normed_rows.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/token_group_norm.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// sums[c] = sum over the tokens of x - mean, or of its square.
template <class T>
void DistanceSums(const T* x, const NormedRows& rows, bool squared, float* sums) {
  for (std::int64_t c = 0; c < rows.channels; c += Lanes()) {
    const std::int64_t left = rows.channels - c;
    const FloatVec mean = LoadVec(rows.mean + c, left);
    FloatVec sum = Zero();
    for (std::int64_t t = 0; t < rows.tokens; ++t) {
      const FloatVec d = hn::Sub(LoadVec(x + t * rows.channels + c, left), mean);
      sum = squared ? hn::MulAdd(d, d, sum) : hn::Add(sum, d);
    }
    StoreVec(sum, sums + c, left);
  }
}

void DistanceSumsOf(DType dtype, const void* x, const NormedRows& rows, bool squared, float* sums) {
  if (dtype == DType::kFloat32) {
    DistanceSums(static_cast<const float*>(x), rows, squared, sums);
  } else {
    DistanceSums(static_cast<const bfloat16*>(x), rows, squared, sums);
  }
}

template <class T>
void Leaky(const T* x, const NormedRows& rows, const T* weight, const T* bias, T* y) {
  const FloatVec slope = Set(static_cast<float>(kLeakySlope));
  for (std::int64_t c = 0; c < rows.channels; c += Lanes()) {
    const std::int64_t left = rows.channels - c;
    const FloatVec mean = LoadVec(rows.mean + c, left);
    const FloatVec scale = hn::Mul(LoadVec(rows.factor + c, left), LoadVec(weight + c, left));
    const FloatVec shift = LoadVec(bias + c, left);
    for (std::int64_t t = 0; t < rows.tokens; ++t) {
      const std::int64_t at = t * rows.channels + c;
      const FloatVec p = hn::MulAdd(hn::Sub(LoadVec(x + at, left), mean), scale, shift);
      StoreVec(hn::IfThenElse(hn::Gt(p, Zero()), p, hn::Mul(p, slope)), y + at, left);
    }
  }
}

void LeakyOf(DType dtype, const void* x, const NormedRows& rows, const void* weight,
             const void* bias, void* y) {
  if (dtype == DType::kFloat32) {
    Leaky(static_cast<const float*>(x), rows, static_cast<const float*>(weight),
          static_cast<const float*>(bias), static_cast<float*>(y));
  } else {
    Leaky(static_cast<const bfloat16*>(x), rows, static_cast<const bfloat16*>(weight),
          static_cast<const bfloat16*>(bias), static_cast<bfloat16*>(y));
  }
}

// Of one vector of channels: n, and the gradient behind the leaky ReLU's slope.
template <class T>
struct BeforeLeaky {
  FloatVec mean, factor, scale, shift;

  BeforeLeaky(const NormedRows& rows, const T* weight, const T* bias, std::int64_t c,
              std::int64_t left)
      : mean(LoadVec(rows.mean + c, left)),
        factor(LoadVec(rows.factor + c, left)),
        scale(LoadVec(weight + c, left)),
        shift(LoadVec(bias + c, left)) {}
  FloatVec Normed(FloatVec x) const { return hn::Mul(hn::Sub(x, mean), factor); }
  // As Leaky() has it, so that both choose the same side.
  FloatVec Gradient(FloatVec x, FloatVec dy) const {
    const FloatVec p = hn::MulAdd(hn::Sub(x, mean), hn::Mul(factor, scale), shift);
    const FloatVec slope = Set(static_cast<float>(kLeakySlope));
    return hn::IfThenElse(hn::Gt(p, Zero()), dy, hn::Mul(dy, slope));
  }
};

// sums [2, channels]: of dp and of dp n over the tokens.
template <class T>
void GradientSums(const T* dy, const T* x, const NormedRows& rows, const T* weight, const T* bias,
                  float* sums) {
  for (std::int64_t c = 0; c < rows.channels; c += Lanes()) {
    const std::int64_t left = rows.channels - c;
    const BeforeLeaky<T> before(rows, weight, bias, c, left);
    FloatVec plain = Zero(), with_n = Zero();
    for (std::int64_t t = 0; t < rows.tokens; ++t) {
      const std::int64_t at = t * rows.channels + c;
      const FloatVec value = LoadVec(x + at, left);
      const FloatVec dp = before.Gradient(value, LoadVec(dy + at, left));
      plain = hn::Add(plain, dp);
      with_n = hn::MulAdd(dp, before.Normed(value), with_n);
    }
    StoreVec(plain, sums + c, left);
    StoreVec(with_n, sums + rows.channels + c, left);
  }
}

void GradientSumsOf(DType dtype, const void* dy, const void* x, const NormedRows& rows,
                    const void* weight, const void* bias, float* sums) {
  if (dtype == DType::kFloat32) {
    GradientSums(static_cast<const float*>(dy), static_cast<const float*>(x), rows,
                 static_cast<const float*>(weight), static_cast<const float*>(bias), sums);
  } else {
    GradientSums(static_cast<const bfloat16*>(dy), static_cast<const bfloat16*>(x), rows,
                 static_cast<const bfloat16*>(weight), static_cast<const bfloat16*>(bias), sums);
  }
}

// dx of means [2, channels]: of g and of g n, for the group of each channel.
template <class T>
void InputGradient(const T* dy, const T* x, const NormedRows& rows, const T* weight, const T* bias,
                   const float* means, T* dx, bool accumulate) {
  for (std::int64_t c = 0; c < rows.channels; c += Lanes()) {
    const std::int64_t left = rows.channels - c;
    const BeforeLeaky<T> before(rows, weight, bias, c, left);
    const FloatVec plain = LoadVec(means + c, left),
                   with_n = LoadVec(means + rows.channels + c, left);
    for (std::int64_t t = 0; t < rows.tokens; ++t) {
      const std::int64_t at = t * rows.channels + c;
      const FloatVec value = LoadVec(x + at, left);
      const FloatVec g = hn::Mul(before.Gradient(value, LoadVec(dy + at, left)), before.scale);
      const FloatVec rest = hn::NegMulAdd(before.Normed(value), with_n, hn::Sub(g, plain));
      PutVec(hn::Mul(rest, before.factor), dx + at, left, accumulate);
    }
  }
}

void InputGradientOf(DType dtype, const void* dy, const void* x, const NormedRows& rows,
                     const void* weight, const void* bias, const float* means, void* dx,
                     bool accumulate) {
  if (dtype == DType::kFloat32) {
    InputGradient(static_cast<const float*>(dy), static_cast<const float*>(x), rows,
                  static_cast<const float*>(weight), static_cast<const float*>(bias), means,
                  static_cast<float*>(dx), accumulate);
  } else {
    InputGradient(static_cast<const bfloat16*>(dy), static_cast<const bfloat16*>(x), rows,
                  static_cast<const bfloat16*>(weight), static_cast<const bfloat16*>(bias), means,
                  static_cast<bfloat16*>(dx), accumulate);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(DistanceSumsOf);
HWY_EXPORT(LeakyOf);
HWY_EXPORT(GradientSumsOf);
HWY_EXPORT(InputGradientOf);

// f(group, sum over its channels of value(c))
template <class Value, class F>
void for_each_group_sum(std::int64_t channels, std::int64_t groups, Value value, F f) {
  const std::int64_t size = channels / groups;
  for (std::int64_t g = 0; g < groups; ++g) {
    double sum = 0;
    for (std::int64_t c = g * size; c < (g + 1) * size; ++c) sum += value(c);
    f(g, sum);
  }
}

void spread(const float* of_groups, std::int64_t stride, std::int64_t groups, std::int64_t channels,
            float* to) {
  for (std::int64_t c = 0; c < channels; ++c) to[c] = of_groups[c * groups / channels * stride];
}

// mean and 1 / sqrt(variance + epsilon) of each group of a sample; `room` has 2 channels.
void group_statistics(DType dtype, const void* x, std::int64_t tokens, std::int64_t channels,
                      std::int64_t groups, float* room, float* stats) {
  float *mean = room, *sums = room + channels;
  const NormedRows rows{tokens, channels, mean, nullptr};
  const std::int64_t elements = tokens * channels / groups;
  const auto count = static_cast<double>(elements);
  const auto of_channel = [&](std::int64_t c) { return double{sums[c]}; };
  std::fill_n(mean, channels, 0.0f);
  HWY_DYNAMIC_DISPATCH(DistanceSumsOf)(dtype, x, rows, false, sums);
  for_each_group_sum(channels, groups, of_channel, [&](std::int64_t g, double sum) {
    stats[2 * g] = static_cast<float>(sum / count);
  });
  spread(stats, 2, groups, channels, mean);
  HWY_DYNAMIC_DISPATCH(DistanceSumsOf)(dtype, x, rows, true, sums);
  for_each_group_sum(channels, groups, of_channel, [&](std::int64_t g, double sum) {
    stats[2 * g + 1] = static_cast<float>(1 / std::sqrt(sum / count + kGroupNormEpsilon));
  });
}

}  // namespace

void CpuBackend::token_group_norm_forward(T x, T weight, T bias, T stats, T y) {
  const std::int64_t batch = x.shape[0], tokens = x.shape[1], n = x.shape[2];
  const std::int64_t groups = stats.shape[1];
  const Span from{x.data, x.dtype}, to{y.data, y.dtype};
  float* const room = scratch_.floats(Slot::kMoments, batch * 2 * n);
  parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      float *mean = room + 2 * b * n, *factor = mean + n;
      float* const found = stats.as<float>() + b * groups * 2;
      const void* const sample = from.from(b * tokens * n).data;
      group_statistics(x.dtype, sample, tokens, n, groups, mean, found);
      spread(found, 2, groups, n, mean);
      spread(found + 1, 2, groups, n, factor);
      HWY_DYNAMIC_DISPATCH(LeakyOf)
      (x.dtype, sample, NormedRows{tokens, n, mean, factor}, weight.data, bias.data,
       to.from(b * tokens * n).data);
    }
  });
}

void CpuBackend::token_group_norm_backward(T dy, T x, T weight, T bias, T stats, G dx, G dweight,
                                           G dbias) {
  const std::int64_t batch = x.shape[0], tokens = x.shape[1], n = x.shape[2];
  const std::int64_t groups = stats.shape[1];
  const std::int64_t elements = tokens * n / groups;
  const auto count = static_cast<double>(elements);
  const Span gradient{dy.data, dy.dtype}, from{x.data, x.dtype};
  const Span to{dx.tensor.data, dx.tensor.dtype};
  // Of each sample: mean and factor of its channels, two sums, two means.
  float* const room = scratch_.floats(Slot::kMoments, batch * 6 * n);
  parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      float *mean = room + b * 6 * n, *factor = mean + n, *sums = mean + 2 * n,
            *means = mean + 4 * n;
      const float* const found = stats.as<float>() + b * groups * 2;
      spread(found, 2, groups, n, mean);
      spread(found + 1, 2, groups, n, factor);
      const NormedRows rows{tokens, n, mean, factor};
      const void *d = gradient.from(b * tokens * n).data, *sample = from.from(b * tokens * n).data;
      HWY_DYNAMIC_DISPATCH(GradientSumsOf)
      (x.dtype, d, sample, rows, weight.data, bias.data, sums);
      if (!dx.wanted()) continue;
      with_float_type(x.dtype, [&]<class E>(E) {
        for (const std::int64_t which : {0, 1}) {
          const auto of_channel = [&](std::int64_t c) {
            return double{static_cast<float>(weight.as<E>()[c])} * sums[which * n + c];
          };
          for_each_group_sum(n, groups, of_channel, [&](std::int64_t g, double sum) {
            std::fill_n(means + which * n + g * (n / groups), n / groups,
                        static_cast<float>(sum / count));
          });
        }
      });
      HWY_DYNAMIC_DISPATCH(InputGradientOf)
      (x.dtype, d, sample, rows, weight.data, bias.data, means, to.from(b * tokens * n).data,
       dx.accumulate);
    }
  });
  for (std::int64_t c = 0; c < n; ++c) {
    double to_weight = 0, to_bias = 0;
    for (std::int64_t b = 0; b < batch; ++b) {
      to_bias += room[(b * 6 + 2) * n + c];
      to_weight += room[(b * 6 + 3) * n + c];
    }
    put(dweight.tensor.as<float>()[c], to_weight, dweight.accumulate);
    put(dbias.tensor.as<float>()[c], to_bias, dbias.accumulate);
  }
}

}  // namespace edt
#endif
