// The same model over any legal number of tensor ranks. (Golden values: tests/golden.)
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "core/cpu/cpu_backend.h"
#include "core/random/stream.h"
#include "core/reference/reference_backend.h"
#include "model/edt/edt_model.h"
#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "parallel/comm/threads/thread_ranks.h"

namespace edt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

EdtConfig small_config(ModulationForm form = ModulationForm::kFull) {
  EdtConfig config;
  config.name = "small";
  config.latents = LatentShape::square(8);
  config.classes = 5;
  config.depths = {2, 1, 2};
  config.widths = {24, 48, 24};
  config.heads = {6, 12, 6};
  config.modulation = form;
  return config;
}

std::vector<float> normals(std::uint64_t seed, std::int64_t count, float scale) {
  std::vector<float> values(static_cast<std::size_t>(count));
  random::fill_normal({.seed = seed}, values);
  for (float& value : values) value *= scale;
  return values;
}

// Output and gradients of this rank's part of a model with weights that are nowhere zero.
class RankModel {
 public:
  RankModel(Backend& backend, DType dtype, TensorGroup ranks, const EdtConfig& config)
      : backend_(backend), dtype_(dtype), model_(config, backend, dtype, ranks) {
    std::size_t i = 0;
    for (Parameter& parameter : model_.parameters().all()) {
      const TensorShard& shard = model_.parameters().shards()[i++];
      std::vector<float> local(static_cast<std::size_t>(parameter.shape.elements()));
      shard.take(normals(i, shard.logical.elements(), 0.1f), local);
      parameter.value = tensor(local, parameter.shape, dtype);
      parameter.grad = tensor(local, parameter.shape, DType::kFloat32);
    }
  }

  std::vector<float> run() {
    std::vector<float> output;
    {
      const ModelInputs inputs{tensor(normals(1000, 2 * 4 * 8 * 8, 1), {2, 4, 8, 8}),
                               tensor({7, 900}, {2}), labels({2, 5})};
      const Var tokens = model_.forward(tape_, inputs);
      output = host(tokens.tensor());
      tape_.backward(tokens);
    }
    tape_.clear();
    return output;
  }
  const ParameterList& parameters() const { return model_.parameters(); }
  std::vector<float> gradient(std::size_t i) { return host(model_.parameters().all()[i].grad); }

 private:
  Tensor tensor(std::vector<float> values, const Shape& shape, DType dtype = DType::kFloat32) {
    Tensor to{nullptr, shape, dtype};
    to.data = memory_.emplace_back(backend_.memory(), to.bytes()).data();
    backend_.copy(view_of(std::span(values), shape), to);
    return to;
  }
  Tensor labels(std::vector<std::int32_t> values) {
    const Shape shape{static_cast<std::int64_t>(values.size())};
    const Tensor to{memory_.emplace_back(backend_.memory(), 64).data(), shape, DType::kInt32};
    backend_.copy(view_of(std::span(values), shape), to);
    return to;
  }
  std::vector<float> host(const Tensor& from) {
    std::vector<float> values(static_cast<std::size_t>(from.elements()));
    backend_.copy(from, view_of(std::span(values), from.shape));
    return values;
  }

  Backend& backend_;
  DType dtype_;
  Arena arena_{host_memory()};
  Profiler profiler_;
  EdtModel model_;
  Tape tape_{backend_, arena_, profiler_, dtype_};
  std::vector<Block> memory_;
};

struct Outcome {
  std::vector<float> output;
  std::vector<std::vector<float>> gradients;  // of whole tensors
};

Outcome run_over(int degree, DType dtype, const EdtConfig& config = small_config()) {
  Outcome outcome;
  std::vector<std::vector<std::vector<float>>> parts(static_cast<std::size_t>(degree));
  run_ranks(degree, [&](Communicator& ranks) {
    omp_set_num_threads(1);  // of this rank: they share the cores
    const auto backend = make_cpu_backend();
    RankModel model(*backend, dtype, {&ranks}, config);
    const std::vector<float> output = model.run();
    if (ranks.is_root()) outcome.output = output;
    for (std::size_t i = 0; i < model.parameters().all().size(); ++i) {
      parts[static_cast<std::size_t>(ranks.rank())].push_back(model.gradient(i));
    }
  });
  const auto backend = make_reference_backend();
  const EdtModel whole(config, *backend, DType::kFloat32);
  for (std::size_t i = 0; i < whole.parameters().all().size(); ++i) {
    TensorShard shard = whole.parameters().shards()[i];
    shard.ranks = degree;
    std::vector<float>& gradient =
        outcome.gradients.emplace_back(static_cast<std::size_t>(shard.logical.elements()));
    for (shard.rank = 0; shard.rank < degree; ++shard.rank) {
      shard.put(parts[static_cast<std::size_t>(shard.rank)][i], gradient);
    }
  }
  return outcome;
}

// || a - b || / || b ||
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double(a[i]) - b[i], 2);
    size += std::pow(double(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

void expect_near(const Outcome& actual, const Outcome& expected, double tolerance) {
  EXPECT_LE(distance(actual.output, expected.output), tolerance);
  for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
    EXPECT_LE(distance(actual.gradients[i], expected.gradients[i]), tolerance) << "gradient " << i;
  }
}

class Degrees : public testing::TestWithParam<int> {};

TEST_P(Degrees, ComputeWhatOneRankComputes) {
  // Another order of summation, through 5 blocks forward and backward.
  expect_near(run_over(GetParam(), DType::kFloat32), run_over(1, DType::kFloat32), 1e-4);
}

TEST_P(Degrees, ComputeItWithSharedModulations) {
  for (const auto form : {ModulationForm::kShared, ModulationForm::kAffine}) {
    const EdtConfig config = small_config(form);
    expect_near(run_over(GetParam(), DType::kFloat32, config), run_over(1, DType::kFloat32, config),
                1e-4);
  }
}

// Heads are cut; what queries see of their neighbours every rank computes, as it does a layer in
// front of all of them.
TEST_P(Degrees, ComputeItWithLinearAttention) {
  EdtConfig config = small_config();
  config.attention = {{AttentionForm::kLinear, AttentionForm::kSoftmax, AttentionForm::kLinear},
                      {.narrowing = 4, .groups = 2}};
  expect_near(run_over(GetParam(), DType::kFloat32, config), run_over(1, DType::kFloat32, config),
              1e-4);
}

TEST_P(Degrees, ComputeItWithSpatialLayers) {
  for (const SpatialForm form : {SpatialForm::kReal, SpatialForm::kComplex}) {
    EdtConfig config = small_config();
    config.spatial = {.form = form, .states = 4};
    expect_near(run_over(GetParam(), DType::kFloat32, config), run_over(1, DType::kFloat32, config),
                1e-4);
  }
}

TEST_P(Degrees, ComputeItInBfloat16) {
  // Roundings of 0.2 % to 0.4 % each: two bf16 runs differ as much as either differs from float32.
  const Outcome exact = run_over(1, DType::kFloat32);
  const Outcome one = run_over(1, DType::kBFloat16),
                several = run_over(GetParam(), DType::kBFloat16);
  EXPECT_LE(distance(several.output, exact.output), 1.5 * distance(one.output, exact.output));
  for (std::size_t i = 0; i < exact.gradients.size(); ++i) {
    EXPECT_LE(distance(several.gradients[i], exact.gradients[i]),
              2 * distance(one.gradients[i], exact.gradients[i]) + 1e-3)
        << "gradient " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Legal, Degrees, testing::Values(2, 3, 6));

TEST(TensorRanks, InitialWeightsDoNotDependOnTheDegree) {
  const auto backend = make_reference_backend();
  const EdtModel whole(small_config(), *backend, DType::kFloat32);
  const auto initial = [](const EdtModel& model, std::size_t i) {
    const std::int64_t n = model.parameters().all()[i].shape.elements();
    std::vector<float> values(static_cast<std::size_t>(n));
    model.parameters().initialize(i, 5, values);
    return values;
  };
  run_ranks(3, [&](Communicator& ranks) {
    const auto own = make_reference_backend();
    const EdtModel part(small_config(), *own, DType::kFloat32, {&ranks});
    EXPECT_EQ(part.parameters().elements(), whole.parameters().elements());
    EXPECT_LT(part.parameters().local_elements(), part.parameters().elements() / 2);
    for (std::size_t i = 0; i < part.parameters().all().size(); ++i) {
      const TensorShard& shard = part.parameters().shards()[i];
      std::vector<float> expected(static_cast<std::size_t>(shard.local().elements()));
      shard.take(initial(whole, i), expected);
      EXPECT_EQ(initial(part, i), expected) << part.parameters().all()[i].name;
    }
  });
}

TEST(TensorRanks, DegreesOfThePresets) {
  EXPECT_THAT(edt_preset("EDT-S/2").tensor_degrees(), ElementsAre(1, 2));
  EXPECT_THAT(edt_preset("EDT-B/2").tensor_degrees(), ElementsAre(1, 2, 4));
  EXPECT_THAT(edt_preset("EDT-XL/2").tensor_degrees(), ElementsAre(1, 2, 3, 6));
}

TEST(TensorRanks, PartsOfThePresets) {
  // Counted by hand from the table in docs/tensor-parallelism.md.
  run_ranks(2, [](Communicator& ranks) {
    const auto backend = make_reference_backend();
    const EdtModel model(edt_preset("EDT-S/2"), *backend, DType::kFloat32, {&ranks});
    EXPECT_EQ(model.parameters().elements(), 38'329'146);
    EXPECT_EQ(model.parameters().local_elements(), 21'077'201);
  });
}

TEST(TensorRanks, OtherDegreesAreRefused) {
  run_ranks(4, [](Communicator& ranks) {
    const auto backend = make_reference_backend();
    try {
      const EdtModel model(small_config(), *backend, DType::kFloat32, {&ranks});
      FAIL() << "accepted";
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(),
                  HasSubstr("small cannot be cut over 4 tensor ranks: its heads allow 1, 2, 3, 6"));
    }
  });
}

TEST(TensorRanks, ProductsOfAllRanksAreThoseOfTheModel) {
  const EdtConfig config = edt_preset("EDT-XL/2");
  const double whole = total_macs(forward_gemms(config, 1));
  for (const int degree : config.tensor_degrees()) {
    const double local = total_macs(forward_gemms(config, 1, degree));
    // Embeddings, resampling and the final projection are computed by every rank.
    EXPECT_LE(local, whole / degree + whole / 8);
    EXPECT_GE(local * degree, whole);
  }
}

}  // namespace
}  // namespace edt
