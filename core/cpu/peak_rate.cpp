#include "core/cpu/peak_rate.h"

#include <numeric>
#include <vector>

#include "core/base/clock.h"
#include "core/cpu/cpu_library.h"
#include "core/cpu/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/peak_rate.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/pairs-inl.h"
#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// As many sums as hide the latency of two multiply-adds a cycle and fit AVX2's registers.
constexpr int kSums = 12;

// Returns the FLOPs of `rounds` rounds; `sink` keeps the results alive.
double MultiplyAdd(std::int64_t rounds, float* sink) {
  const FloatVec factor = Set(0.999f), term = Set(0.001f);
  FloatVec sum[kSums];
  for (int i = 0; i < kSums; ++i) sum[i] = Set(static_cast<float>(i));
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (int i = 0; i < kSums; ++i) sum[i] = hn::MulAdd(sum[i], factor, term);
  }
  FloatVec all = Zero();
  for (int i = 0; i < kSums; ++i) all = hn::Add(all, sum[i]);
  *sink = Sum(all);
  return 2.0 * kSums * static_cast<double>(Lanes() * rounds);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(EDT_PAIRS_TARGET)
namespace edt {
namespace HWY_NAMESPACE {

double DotPairs(std::int64_t rounds, float* sink) {
  const PairVec left = PairsOf(Set(0.5f), Set(-0.5f)), right = PairsOf(Set(1.0f), Set(0.5f));
  FloatVec sum[kSums];
  for (int i = 0; i < kSums; ++i) sum[i] = Set(static_cast<float>(i));
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (int i = 0; i < kSums; ++i) sum[i] = AddDot(sum[i], left, right);
  }
  FloatVec all = Zero();
  for (int i = 0; i < kSums; ++i) all = hn::Add(all, sum[i]);
  *sink = Sum(all);
  return 4.0 * kSums * static_cast<double>(Lanes() * rounds);
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace edt {
namespace {

HWY_EXPORT(MultiplyAdd);

double run(DType dtype, std::int64_t rounds, float* sink) {
#if HWY_TARGETS & HWY_AVX3
  if (dtype == DType::kBFloat16 && onednn_has_native_bf16()) return N_AVX3::DotPairs(rounds, sink);
#endif
  return HWY_DYNAMIC_DISPATCH(MultiplyAdd)(rounds, sink);
}

}  // namespace

double cpu_peak_rate(DType dtype) {
  constexpr std::int64_t kRounds = 1 << 22;  // 48 vectors in 12 cycles and more: some 20 ms
  const std::int64_t threads = thread_count();
  std::vector<float> sinks(static_cast<std::size_t>(threads) * 16);
  std::vector<double> flops(static_cast<std::size_t>(threads));
  const auto begin = Clock::now();
  parallel_parts(threads, 1, [&](std::int64_t part, Range) {
    const auto i = static_cast<std::size_t>(part);
    flops[i] = run(dtype, kRounds, &sinks[i * 16]);
  });
  const double seconds = seconds_since(begin);
  return std::accumulate(flops.begin(), flops.end(), 0.0) / seconds;
}

}  // namespace edt
#endif
