#include "core/optim/optimizer.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/optim/adamw.h"
#include "core/optim/adan.h"

namespace edt {
namespace {

// Elements per piece: the pieces of all buffers fit in the second-level cache, so the average and
// the working copy read the weights that were just written without going back to memory.
constexpr std::size_t kPiece = 4096;

void follow_ema(const float* __restrict params, float* __restrict ema, std::size_t n,
                double decay) {
  const auto keep = static_cast<float>(decay);
  const auto take = static_cast<float>(1 - decay);
  for (std::size_t i = 0; i < n; ++i) ema[i] = keep * ema[i] + take * params[i];
}

void round_to_bf16(const float* __restrict params, bfloat16* __restrict working, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) working[i] = bfloat16(params[i]);
}

}  // namespace

void Optimizer::check(const UpdateArgs& args) const {
  const std::size_t n = args.params.size();
  EDT_ASSERT(args.grads.size() == n);
  EDT_ASSERT(args.ema.empty() || args.ema.size() == n);
  EDT_ASSERT(args.working.empty() || args.working.size() == n);
  EDT_ASSERT(static_cast<int>(args.states.size()) == state_count());
  for (const auto& state : args.states) EDT_ASSERT(state.size() == n);
  EDT_ASSERT(args.step >= 1);
}

void HostOptimizer::update(const UpdateArgs& args) const {
  check(args);
  const std::size_t n = args.params.size();
#pragma omp parallel for schedule(static)
  for (std::size_t begin = 0; begin < n; begin += kPiece) {
    const std::size_t end = std::min(begin + kPiece, n);
    advance(args, begin, end);
    const float* params = args.params.data() + begin;
    if (!args.ema.empty()) follow_ema(params, args.ema.data() + begin, end - begin, args.ema_decay);
    if (!args.working.empty()) round_to_bf16(params, args.working.data() + begin, end - begin);
  }
}

// The form that keeps what does not move: with keep and take apart their roundings add up, step by
// step.
void HostOptimizer::follow(std::span<const float> params, std::span<float> average,
                           float take) const {
  EDT_ASSERT(params.size() == average.size());
  const float* __restrict from = params.data();
  float* __restrict to = average.data();
  const std::size_t n = params.size();
  if (take == 1) {
    std::copy_n(from, n, to);
    return;
  }
#pragma omp parallel for simd schedule(static)
  for (std::size_t i = 0; i < n; ++i) to[i] += take * (from[i] - to[i]);
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) {
  struct Make {
    std::unique_ptr<Optimizer> operator()(const AdanConfig& c) const {
      return std::make_unique<Adan>(c);
    }
    std::unique_ptr<Optimizer> operator()(const AdamWConfig& c) const {
      return std::make_unique<AdamW>(c);
    }
  };
  return std::visit(Make{}, config);
}

}  // namespace edt
