// Tokens are rows of channels: what a token reads is added to it vector by vector, and a token has
// one thread. Sums over tokens run in their order, each vector of channels by itself.
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/token_taps.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/token_convolution.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// to [channels] (+)= bias + what the places read; `weights` [9, channels], or nullptr: 1.
template <class T>
void SumTaps(const TapRows& rows, const TapTokens& tokens, const float* weights, const T* bias,
             T* to, bool accumulate) {
  const T* const from = static_cast<const T*>(rows.from);
  for (std::int64_t c = 0; c < rows.channels; c += Lanes()) {
    const std::int64_t left = rows.channels - c;
    FloatVec sum = bias == nullptr ? Zero() : LoadVec(bias + c, left);
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      const std::int64_t token = tokens[static_cast<std::size_t>(tap)];
      if (token < 0) continue;
      const FloatVec x = LoadVec(from + token * rows.from_stride + tap * rows.tap_stride + c, left);
      sum = weights == nullptr
                ? hn::Add(sum, x)
                : hn::MulAdd(x, LoadVec(weights + tap * rows.channels + c, left), sum);
    }
    PutVec(sum, to + c, left, accumulate);
  }
}

void SumTapsOf(DType dtype, const TapRows& rows, const TapTokens& tokens, const float* weights,
               const void* bias, void* to, bool accumulate) {
  if (dtype == DType::kFloat32) {
    SumTaps(rows, tokens, weights, static_cast<const float*>(bias), static_cast<float*>(to),
            accumulate);
  } else {
    SumTaps(rows, tokens, weights, static_cast<const bfloat16*>(bias), static_cast<bfloat16*>(to),
            accumulate);
  }
}

// to [9, channels] = dy at the tokens that read this one.
template <class T>
void SpreadTaps(const T* dy, std::int64_t channels, const TapTokens& tokens, T* to) {
  for (std::int64_t tap = 0; tap < kTaps; ++tap, to += channels) {
    const std::int64_t token = tokens[static_cast<std::size_t>(tap)];
    if (token < 0) {
      std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(channels) * sizeof(T));
    } else {
      std::memcpy(static_cast<void*>(to), dy + token * channels,
                  static_cast<std::size_t>(channels) * sizeof(T));
    }
  }
}

void SpreadTapsOf(DType dtype, const void* dy, std::int64_t channels, const TapTokens& tokens,
                  void* to) {
  if (dtype == DType::kFloat32) {
    SpreadTaps(static_cast<const float*>(dy), channels, tokens, static_cast<float*>(to));
  } else {
    SpreadTaps(static_cast<const bfloat16*>(dy), channels, tokens, static_cast<bfloat16*>(to));
  }
}

// sums[place][lane] += dy x, sums[9][lane] += dy over all tokens of a sample, for one vector of
// channels.
template <class T>
void WeightSums(const T* dy, const T* x, std::int64_t channels, std::int64_t left,
                const TokenGrid& grid, std::int64_t stride, FloatVec (&sums)[kTaps + 1]) {
  const TokenGrid to = strided(grid, stride);
  for (std::int64_t i = 0; i < to.rows; ++i) {
    for (std::int64_t j = 0; j < to.columns; ++j) {
      const FloatVec d = LoadVec(dy + (i * to.columns + j) * channels, left);
      sums[kTaps] = hn::Add(sums[kTaps], d);
      for (std::int64_t tap = 0; tap < kTaps; ++tap) {
        const std::int64_t row = i * stride + tap / 3 - 1, column = j * stride + tap % 3 - 1;
        if (row < 0 || row >= grid.rows || column < 0 || column >= grid.columns) continue;
        const FloatVec read = LoadVec(x + (row * grid.columns + column) * channels, left);
        sums[tap] = hn::MulAdd(d, read, sums[tap]);
      }
    }
  }
}

// found [10, width] of channels first ... first + width of all samples.
template <class T>
void WeightGradient(const T* dy, const T* x, const Shape& shape, const TokenGrid& grid,
                    std::int64_t stride, std::int64_t first, std::int64_t width, float* found) {
  const std::int64_t channels = shape[2], to_tokens = strided(grid, stride).tokens();
  for (std::int64_t c = 0; c < width; c += Lanes()) {
    FloatVec sums[kTaps + 1];
    for (FloatVec& sum : sums) sum = Zero();
    for (std::int64_t b = 0; b < shape[0]; ++b) {
      WeightSums(dy + b * to_tokens * channels + first + c, x + b * shape[1] * channels + first + c,
                 channels, width - c, grid, stride, sums);
    }
    for (std::int64_t tap = 0; tap <= kTaps; ++tap) {
      StoreVec(sums[tap], found + tap * width + c, width - c);
    }
  }
}

void WeightGradientOf(DType dtype, const void* dy, const void* x, const Shape& shape,
                      const TokenGrid& grid, std::int64_t stride, std::int64_t first,
                      std::int64_t width, float* found) {
  if (dtype == DType::kFloat32) {
    WeightGradient(static_cast<const float*>(dy), static_cast<const float*>(x), shape, grid, stride,
                   first, width, found);
  } else {
    WeightGradient(static_cast<const bfloat16*>(dy), static_cast<const bfloat16*>(x), shape, grid,
                   stride, first, width, found);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(SumTapsOf);
HWY_EXPORT(SpreadTapsOf);
HWY_EXPORT(WeightGradientOf);

constexpr std::int64_t kTokenGrain = 8;
constexpr std::int64_t kTapChannels = 16;  // of a thread at a time: a whole line of memory

// f(sample, token in it) over the threads.
template <class F>
void for_each_token(std::int64_t batch, std::int64_t tokens, F f) {
  parallel_ranges(batch * tokens, kTokenGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row / tokens, row % tokens);
  });
}

// A weight [N, 1, 3, 3] place by place.
void weight_by_place(const Tensor& weight, float* to) {
  with_float_type(weight.dtype, [&]<class E>(E) {
    const std::int64_t n = weight.shape[0];
    for (std::int64_t i = 0; i < n * kTaps; ++i) {
      to[i % kTaps * n + i / kTaps] = static_cast<float>(weight.as<E>()[i]);
    }
  });
}

}  // namespace

void CpuBackend::gather_taps_forward(T z, T bias, Grid grid, T y) {
  EDT_ASSERT(bias.dtype == y.dtype);
  const std::int64_t n = y.shape[2], tokens = y.shape[1];
  const Span from{z.data, z.dtype}, to{y.data, y.dtype};
  for_each_token(y.shape[0], tokens, [&](std::int64_t b, std::int64_t token) {
    const TapRows rows{from.from(b * tokens * kTaps * n).data, n, kTaps * n, n};
    HWY_DYNAMIC_DISPATCH(SumTapsOf)
    (y.dtype, rows, tokens_read(grid, 1, token), nullptr, bias.data,
     to.from((b * tokens + token) * n).data, false);
  });
}

void CpuBackend::gather_taps_backward(T dy, Grid grid, T dz) {
  const std::int64_t n = dy.shape[2], tokens = dy.shape[1];
  const Span from{dy.data, dy.dtype}, to{dz.data, dz.dtype};
  for_each_token(dy.shape[0], tokens, [&](std::int64_t b, std::int64_t token) {
    HWY_DYNAMIC_DISPATCH(SpreadTapsOf)
    (dy.dtype, from.from(b * tokens * n).data, n, tokens_that_read(grid, 1, token),
     to.from((b * tokens + token) * kTaps * n).data);
  });
}

void CpuBackend::depthwise_forward(T x, T weight, T bias, Grid grid, std::int64_t stride, T y) {
  EDT_ASSERT(bias.dtype == y.dtype);
  const std::int64_t n = y.shape[2], tokens = y.shape[1];
  float* const weights = scratch_.floats(Slot::kPartials, kTaps * n);
  weight_by_place(weight, weights);
  const Span from{x.data, x.dtype}, to{y.data, y.dtype};
  for_each_token(y.shape[0], tokens, [&](std::int64_t b, std::int64_t token) {
    HWY_DYNAMIC_DISPATCH(SumTapsOf)
    (y.dtype, TapRows{from.from(b * x.shape[1] * n).data, n, n, 0},
     tokens_read(grid, stride, token), weights, bias.data, to.from((b * tokens + token) * n).data,
     false);
  });
}

void CpuBackend::depthwise_backward(T dy, T x, T weight, Grid grid, std::int64_t stride, G dx,
                                    G dweight, G dbias) {
  const std::int64_t n = x.shape[2], tokens = x.shape[1];
  if (dx.wanted()) {
    float* const weights = scratch_.floats(Slot::kPartials, kTaps * n);
    weight_by_place(weight, weights);
    const Span from{dy.data, dy.dtype}, to{dx.tensor.data, dx.tensor.dtype};
    for_each_token(x.shape[0], tokens, [&](std::int64_t b, std::int64_t token) {
      HWY_DYNAMIC_DISPATCH(SumTapsOf)
      (x.dtype, TapRows{from.from(b * dy.shape[1] * n).data, n, n, 0},
       tokens_that_read(grid, stride, token), weights, nullptr,
       to.from((b * tokens + token) * n).data, dx.accumulate);
    });
  }
  const std::int64_t tasks = (n + kTapChannels - 1) / kTapChannels;
  parallel_ranges(tasks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first = task * kTapChannels, width = std::min(kTapChannels, n - first);
      float found[(kTaps + 1) * kTapChannels];
      HWY_DYNAMIC_DISPATCH(WeightGradientOf)
      (x.dtype, dy.data, x.data, x.shape, grid, stride, first, width, found);
      for (std::int64_t c = 0; c < width; ++c) {
        for (std::int64_t tap = 0; tap < kTaps; ++tap) {
          put(dweight.tensor.as<float>()[(first + c) * kTaps + tap], found[tap * width + c],
              dweight.accumulate);
        }
        put(dbias.tensor.as<float>()[first + c], found[kTaps * width + c], dbias.accumulate);
      }
    }
  });
}

}  // namespace edt
#endif
