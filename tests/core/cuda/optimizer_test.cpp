// Optimizers, gradient norms and noise have the bits of the host's.
#include <gtest/gtest.h>

#include "core/optim/grad_norm.h"
#include "core/random/stream.h"
#include "tests/core/cuda/gpu.h"

namespace edt {
namespace {

std::vector<float> normals(std::uint32_t sample, std::size_t count) {
  std::vector<float> values(count);
  random::fill_normal({.seed = 5, .purpose = random::Purpose::kBenchmark, .sample = sample},
                      values);
  return values;
}

// A flat buffer in a backend's memory.
template <class T>
class Buffer {
 public:
  Buffer(Backend& backend, const std::vector<T>& values)
      : backend_(backend),
        block_(backend.memory(), values.size() * sizeof(T)),
        tensor_{block_.data(), {static_cast<std::int64_t>(values.size())}, dtype_of<T>} {
    backend_.upload(values.data(), tensor_);
  }
  std::span<T> span() const { return tensor_.template span<T>(); }
  std::vector<T> values() const {
    std::vector<T> values(static_cast<std::size_t>(tensor_.elements()));
    backend_.download(tensor_, values.data());
    return values;
  }

 private:
  Backend& backend_;
  Block block_;
  Tensor tensor_;
};

constexpr std::size_t kParameters = 1021;

// Three updates on the device and on the host, compared bit by bit.
void expect_same_updates(const OptimizerConfig& config) {
  EDT_NEEDS_GPU();
  const auto backend = make_cuda_backend();
  const auto device = backend->make_optimizer(config);
  const auto host = make_optimizer(config);
  EXPECT_EQ(device->name(), host->name());

  std::vector<float> params = normals(0, kParameters), ema = params;
  std::vector<bfloat16> working(kParameters);
  std::vector<std::vector<float>> states(static_cast<std::size_t>(host->state_count()),
                                         std::vector<float>(kParameters, 0));
  const Buffer<float> d_params(*backend, params), d_ema(*backend, ema);
  const Buffer<bfloat16> d_working(*backend, working);
  std::vector<Buffer<float>> d_states;
  std::vector<std::span<float>> host_spans, device_spans;
  d_states.reserve(states.size());
  for (auto& state : states) {
    d_states.emplace_back(*backend, state);
    host_spans.push_back(state);
    device_spans.push_back(d_states.back().span());
  }
  for (std::int64_t step = 1; step <= 3; ++step) {
    const std::vector<float> grads = normals(static_cast<std::uint32_t>(step), kParameters);
    const Buffer<float> d_grads(*backend, grads);
    UpdateArgs args{.params = params,
                    .grads = grads,
                    .states = host_spans,
                    .ema = ema,
                    .working = working,
                    .step = step,
                    .learning_rate = 1e-3,
                    .grad_scale = 0.7,
                    .ema_decay = 0.99};
    host->update(args);
    args.params = d_params.span();
    args.grads = d_grads.span();
    args.states = device_spans;
    args.ema = d_ema.span();
    args.working = d_working.span();
    device->update(args);
    backend->synchronize();
  }
  EXPECT_EQ(d_params.values(), params);
  EXPECT_EQ(d_ema.values(), ema);
  for (std::size_t i = 0; i < states.size(); ++i) EXPECT_EQ(d_states[i].values(), states[i]) << i;
  const std::vector<bfloat16> rounded = d_working.values();
  for (std::size_t i = 0; i < kParameters; ++i) EXPECT_EQ(rounded[i].bits, working[i].bits) << i;
}

TEST(CudaOptimizer, AdanHasTheHostsBits) {
  expect_same_updates(AdanConfig{.weight_decay = 0.02});
  expect_same_updates(AdanConfig{.weight_decay = 0.02, .no_prox = true});
}

TEST(CudaOptimizer, AdamWHasTheHostsBits) { expect_same_updates(AdamWConfig{}); }

// Ends inside a block; ranges at a block's ends, across blocks and of one element.
TEST(CudaOptimizer, SquareSumsHaveTheHostsBits) {
  EDT_NEEDS_GPU();
  const auto backend = make_cuda_backend();
  const std::vector<float> values = normals(9, 3 * kNormBlock + 77);
  const Buffer<float> device(*backend, values);
  const std::vector<ElementRange> ranges{
      {0, 3}, {kNormBlock - 1, kNormBlock + 5}, {5000, 5001}, {2 * kNormBlock, 3 * kNormBlock}};
  for (const auto& left_out : {std::vector<ElementRange>{}, ranges}) {
    std::vector<double> expected(norm_blocks(values.size()));
    const Buffer<double> sums(*backend, expected);
    block_square_sums(values, left_out, expected);
    backend->make_optimizer(AdanConfig{})->square_sums(device.span(), left_out, sums.span());
    EXPECT_EQ(sums.values(), expected);
  }
}

TEST(CudaOptimizer, PowerAveragesHaveTheHostsBits) {
  EDT_NEEDS_GPU();
  const auto backend = make_cuda_backend();
  const auto device = backend->make_optimizer(AdamWConfig{});
  const auto host = make_optimizer(AdamWConfig{});
  std::vector<float> average(kParameters, 3.f);
  const Buffer<float> d_average(*backend, average);
  for (const float take : {1.f, 0.3f, 1e-4f}) {
    const std::vector<float> params = normals(static_cast<std::uint32_t>(100 * take), kParameters);
    const Buffer<float> d_params(*backend, params);
    host->follow(params, average, take);
    device->follow(d_params.span(), d_average.span(), take);
    backend->synchronize();
    EXPECT_EQ(d_average.values(), average) << take;
  }
}

TEST(CudaOptimizer, NoiseHasTheHostsBits) {
  EDT_NEEDS_GPU();
  const auto backend = make_cuda_backend();
  const random::StreamKey key{.seed = 7, .purpose = random::Purpose::kNoise, .step = 3};
  const std::vector<std::int32_t> samples{0, 77, 2147483647};
  constexpr std::int64_t kCount = 1021;
  const Buffer<std::int32_t> d_samples(*backend, samples);
  const Buffer<float> noise(*backend, std::vector<float>(samples.size() * kCount));
  const auto rows = static_cast<std::int64_t>(samples.size());
  backend->random_normal(key, view_of(d_samples.span(), {rows}),
                         view_of(noise.span(), {rows, kCount}));
  const std::vector<float> made = noise.values();
  for (std::int64_t b = 0; b < rows; ++b) {
    std::vector<float> row(kCount);
    random::fill_normal({key.seed, key.purpose, key.step, static_cast<std::uint32_t>(samples[b])},
                        row);
    EXPECT_TRUE(std::equal(row.begin(), row.end(), made.begin() + b * kCount)) << b;
  }
}

}  // namespace
}  // namespace edt
