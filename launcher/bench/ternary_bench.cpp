#include "launcher/bench/ternary_bench.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <set>

#include "core/base/clock.h"
#include "core/cpu/cpu_backend.h"
#include "core/cpu/packed_ternary.h"
#include "core/random/stream.h"

namespace edt {
namespace {

constexpr std::int64_t kBytes = 160 << 20;  // of all copies: more than caches hold

std::vector<float> drawn(std::int64_t count, std::uint32_t index) {
  std::vector<float> values(static_cast<std::size_t>(count));
  random::fill_uniform({0, random::Purpose::kBenchmark, 0, index}, values);
  for (float& value : values) value = 2 * value - 1;
  return values;
}

// Dense copies of one weight, and packed ones.
class Copies {
 public:
  Copies(std::int64_t outputs, std::int64_t inputs, Backend& backend) {
    std::vector<float> values = drawn(outputs * inputs, 0);
    for (float& value : values) value = std::abs(value) < 1.f / 3 ? 0 : std::copysign(0.02f, value);
    const std::int64_t count = std::max<std::int64_t>(2, kBytes / (4 * outputs * inputs));
    for (std::int64_t i = 0; i < count; ++i) {
      Tensor weight{nullptr, {outputs, inputs}, DType::kFloat32};
      weight.data = blocks_.emplace_back(backend.memory(), weight.bytes()).data();
      backend.upload_floats(values, weight);
      dense.push_back(weight);
      packed.emplace_back(weight);
    }
  }

  std::vector<Tensor> dense;
  std::deque<PackedTernary> packed;

 private:
  std::deque<Block> blocks_;
};

TernaryTurn take_turns(const Copies& copies, std::int64_t rows, int rounds, Backend& backend) {
  const std::int64_t outputs = copies.packed[0].outputs(), inputs = copies.packed[0].inputs();
  Tensor x{nullptr, {rows, inputs}, DType::kFloat32}, y{nullptr, {rows, outputs}, DType::kFloat32};
  const Block x_memory(backend.memory(), x.bytes()), y_memory(backend.memory(), y.bytes());
  x.data = x_memory.data();
  y.data = y_memory.data();
  backend.upload_floats(drawn(x.elements(), 1), x);
  Scratch scratch;
  const auto seconds_of = [&](auto&& product) {
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < copies.dense.size(); ++i) product(i);
    return seconds_since(begin) / static_cast<double>(copies.dense.size());
  };
  constexpr double kNone = std::numeric_limits<double>::infinity();
  TernaryTurn turn{outputs, inputs, rows, kNone, kNone};
  for (int round = 0; round < rounds; ++round) {
    turn.dense_seconds = std::min(turn.dense_seconds, seconds_of([&](std::size_t i) {
                                    backend.linear_forward(x, copies.dense[i], {}, {}, y);
                                  }));
    turn.packed_seconds = std::min(turn.packed_seconds, seconds_of([&](std::size_t i) {
                                     copies.packed[i].multiply(x, y, false, scratch);
                                   }));
  }
  return turn;
}

}  // namespace

std::int64_t most_packed_rows() { return PackedTernary::kMostRows; }

std::vector<TernaryTurn> bench_ternary(const ModelConfig& model,
                                       const std::vector<std::int64_t>& rows, int rounds) {
  const auto backend = make_cpu_backend();
  std::set<std::pair<std::int64_t, std::int64_t>> sizes;
  const auto built = make_model(model, *backend, DType::kFloat32, {}, ModelUse::kSampling);
  for (const Parameter& parameter : built->parameters().all()) {
    if (parameter.ternary != nullptr) sizes.emplace(parameter.shape[0], parameter.shape[1]);
  }
  require<UsageError>(!sizes.empty(), "bench ternary",
                      "{} has no ternary weights: --model.weights ternary", model.name());
  std::vector<TernaryTurn> turns;
  for (const auto& [outputs, inputs] : sizes) {
    const Copies copies(outputs, inputs, *backend);
    for (const std::int64_t count : rows) {
      turns.push_back(take_turns(copies, count, rounds, *backend));
    }
  }
  return turns;
}

}  // namespace edt
