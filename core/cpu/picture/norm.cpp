// Statistics of blocks of pixels, channel by channel, then of groups of channels over all blocks in
// order: sums do not depend on the number of threads.
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/picture/norm.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/picture/activate-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// Of `pixels` pixels, for kVecs vectors of channels from x on: mean and sum of squared distances
// from it.
template <int kVecs, class T>
void ChannelMoments(const T* x, std::int64_t pixels, std::int64_t channels, std::int64_t left,
                    float* mean, float* square) {
  FloatVec sum[kVecs], m[kVecs];
  for (int v = 0; v < kVecs; ++v) sum[v] = Zero();
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (int v = 0; v < kVecs; ++v) {
      sum[v] = hn::Add(sum[v], LoadVec(x + p * channels + v * Lanes(), left - v * Lanes()));
    }
  }
  const FloatVec part = Set(1.f / static_cast<float>(pixels));
  for (int v = 0; v < kVecs; ++v) {
    m[v] = hn::Mul(sum[v], part);
    sum[v] = Zero();
  }
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (int v = 0; v < kVecs; ++v) {
      const FloatVec d = hn::Sub(LoadVec(x + p * channels + v * Lanes(), left - v * Lanes()), m[v]);
      sum[v] = hn::MulAdd(d, d, sum[v]);
    }
  }
  for (int v = 0; v < kVecs; ++v) {
    StoreVec(m[v], mean + v * Lanes(), left - v * Lanes());
    StoreVec(sum[v], square + v * Lanes(), left - v * Lanes());
  }
}

template <class T>
void BlockMoments(const T* x, std::int64_t pixels, std::int64_t channels, float* moments) {
  constexpr int kVecs = 4;
  std::int64_t c = 0;
  for (; c + kVecs * Lanes() <= channels; c += kVecs * Lanes()) {
    ChannelMoments<kVecs>(x + c, pixels, channels, channels - c, moments + c,
                          moments + channels + c);
  }
  for (; c < channels; c += Lanes()) {
    ChannelMoments<1>(x + c, pixels, channels, channels - c, moments + c, moments + channels + c);
  }
}

void Moments(DType dtype, const void* x, std::int64_t pixels, std::int64_t channels,
             float* moments) {
  if (dtype == DType::kFloat32) {
    BlockMoments(static_cast<const float*>(x), pixels, channels, moments);
  } else {
    BlockMoments(static_cast<const bfloat16*>(x), pixels, channels, moments);
  }
}

template <class X, class Y>
void NormaliseRows(const X* x, const ChannelNorm& norm, Y* y, std::int64_t pixels) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < norm.channels; c += Lanes()) {
      const std::int64_t left = norm.channels - c, at = p * norm.channels + c;
      const FloatVec d = hn::Sub(LoadVec(x + at, left), LoadVec(norm.mean + c, left));
      const FloatVec v =
          hn::MulAdd(d, LoadVec(norm.factor + c, left), LoadVec(norm.bias + c, left));
      StoreVec(Activated(norm.activation, v), y + at, left);
    }
  }
}

void Normalise(const Span& x, const ChannelNorm& norm, const Span& y, std::int64_t pixels) {
  const bool narrow = x.dtype == DType::kBFloat16;
  if (y.dtype == DType::kBFloat16) {
    narrow ? NormaliseRows(static_cast<const bfloat16*>(x.data), norm,
                           static_cast<bfloat16*>(y.data), pixels)
           : NormaliseRows(static_cast<const float*>(x.data), norm, static_cast<bfloat16*>(y.data),
                           pixels);
  } else {
    narrow ? NormaliseRows(static_cast<const bfloat16*>(x.data), norm, static_cast<float*>(y.data),
                           pixels)
           : NormaliseRows(static_cast<const float*>(x.data), norm, static_cast<float*>(y.data),
                           pixels);
  }
}

template <class X, class Y>
void RmsRows(const X* x, const ChannelNorm& norm, float epsilon, const Y* residual, Y* y,
             std::int64_t pixels) {
  const std::int64_t n = norm.channels;
  for (std::int64_t p = 0; p < pixels; ++p, x += n, y += n) {
    FloatVec sum = Zero();
    for (std::int64_t c = 0; c < n; c += Lanes()) {
      const FloatVec v = LoadVec(x + c, n - c);
      sum = hn::MulAdd(v, v, sum);
    }
    const FloatVec factor = Set(1.f / std::sqrt(Sum(sum) / static_cast<float>(n) + epsilon));
    for (std::int64_t c = 0; c < n; c += Lanes()) {
      FloatVec v = hn::Mul(LoadVec(x + c, n - c), factor);
      v = hn::MulAdd(v, LoadVec(norm.factor + c, n - c), LoadVec(norm.bias + c, n - c));
      v = Activated(norm.activation, v);
      if (residual != nullptr) v = hn::Add(v, LoadVec(residual + p * n + c, n - c));
      StoreVec(v, y + c, n - c);
    }
  }
}

void RmsNormalise(const Span& x, const ChannelNorm& norm, float epsilon, const Span& residual,
                  const Span& y, std::int64_t pixels) {
  const bool narrow = x.dtype == DType::kBFloat16;
  const auto* wide_in = static_cast<const float*>(x.data);
  const auto* narrow_in = static_cast<const bfloat16*>(x.data);
  if (y.dtype == DType::kBFloat16) {
    auto* out = static_cast<bfloat16*>(y.data);
    const auto* added = static_cast<const std::remove_pointer_t<decltype(out)>*>(residual.data);
    narrow ? RmsRows(narrow_in, norm, epsilon, added, out, pixels)
           : RmsRows(wide_in, norm, epsilon, added, out, pixels);
  } else {
    auto* out = static_cast<float*>(y.data);
    const auto* added = static_cast<const std::remove_pointer_t<decltype(out)>*>(residual.data);
    narrow ? RmsRows(narrow_in, norm, epsilon, added, out, pixels)
           : RmsRows(wide_in, norm, epsilon, added, out, pixels);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(Moments);
HWY_EXPORT(Normalise);
HWY_EXPORT(RmsNormalise);

// Values of a block: enough to hide what a block costs, few enough to be read twice from cache.
constexpr std::int64_t kBlockValues = 16384;

struct GroupMoments {
  double mean = 0, variance = 0;
};

// Over blocks of moments [blocks, 2, channels] of one picture, for channels first ... first + size.
GroupMoments combined(const float* moments, std::int64_t blocks, std::int64_t block,
                      std::int64_t pixels, std::int64_t channels, std::int64_t first,
                      std::int64_t size) {
  const auto for_each = [&](auto&& f) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      const double count = static_cast<double>(std::min(block, pixels - b * block));
      const float* mean = moments + b * 2 * channels + first;
      for (std::int64_t c = 0; c < size; ++c) f(count, mean[c], mean[channels + c]);
    }
  };
  const double total = static_cast<double>(pixels * size);
  GroupMoments group;
  for_each([&](double count, double mean, double) { group.mean += count * mean; });
  group.mean /= total;
  for_each([&](double count, double mean, double square) {
    group.variance += square + count * (mean - group.mean) * (mean - group.mean);
  });
  group.variance /= total;
  return group;
}

Span span_of(const Tensor& t) { return {t.data, t.dtype}; }

}  // namespace

void CpuBackend::group_norm(T x, T weight, T bias, const GroupNormForm& form, T y) {
  with_float_type(x.dtype, [](auto) {});
  const std::int64_t channels = x.shape[3], pixels = x.shape[1] * x.shape[2];
  const std::int64_t batch = x.shape[0], size = channels / form.groups;
  const std::int64_t block = std::max<std::int64_t>(1, kBlockValues / channels);
  const std::int64_t blocks = (pixels + block - 1) / block;
  float* moments = scratch_.floats(Slot::kMoments, batch * (blocks * 2 + 2) * channels);
  float* factors = moments + batch * blocks * 2 * channels;  // [batch, 2, channels]: mean, factor
  const Span from = span_of(x), to = span_of(y);
  parallel_ranges(batch * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / blocks, first = i % blocks * block;
      HWY_DYNAMIC_DISPATCH(Moments)
      (x.dtype, from.from((n * pixels + first) * channels).data, std::min(block, pixels - first),
       channels, moments + i * 2 * channels);
    }
  });
  parallel_ranges(batch * form.groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / form.groups, first = i % form.groups * size;
      const GroupMoments group = combined(moments + n * blocks * 2 * channels, blocks, block,
                                          pixels, channels, first, size);
      const double factor = 1 / std::sqrt(group.variance + form.epsilon);
      for (std::int64_t c = first; c < first + size; ++c) {
        factors[n * 2 * channels + c] = static_cast<float>(group.mean);
        factors[(n * 2 + 1) * channels + c] = static_cast<float>(factor * weight.as<float>()[c]);
      }
    }
  });
  parallel_ranges(batch * pixels, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin; first < end;) {
      const std::int64_t n = first / pixels, last = std::min(end, (n + 1) * pixels);
      const ChannelNorm norm{channels, factors + n * 2 * channels, factors + (n * 2 + 1) * channels,
                             bias.as<float>(), form.activation};
      HWY_DYNAMIC_DISPATCH(Normalise)
      (from.from(first * channels), norm, to.from(first * channels), last - first);
      first = last;
    }
  });
}

void CpuBackend::channel_rms_norm(T x, T weight, T bias, double epsilon,
                                  PictureActivation activation, T residual, T y) {
  with_float_type(x.dtype, [](auto) {});
  EDT_ASSERT(!residual.defined() || residual.dtype == y.dtype);
  const std::int64_t channels = x.shape[3];
  const ChannelNorm norm{channels, nullptr, weight.as<float>(), bias.as<float>(), activation};
  const Span from = span_of(x), to = span_of(y), added = span_of(residual);
  parallel_ranges(x.shape.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(RmsNormalise)
    (from.from(begin * channels), norm, static_cast<float>(epsilon),
     residual.defined() ? added.from(begin * channels) : Span{}, to.from(begin * channels),
     end - begin);
  });
}

}  // namespace edt
#endif
