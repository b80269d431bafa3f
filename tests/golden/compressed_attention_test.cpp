// EDiT's compressed attention against values computed from the formulas of its paper (there is no
// published code): output, and the gradient of every parameter and of the input.
//
// Tolerances, relative to the largest magnitude of each tensor: 1e-5 and 1e-4 as for the models
// (models_test.cpp). bf16 keeps 8 bits of every activation and weight, and a rounded query may lose
// or win a feature.
#include "model/blocks/compressed_attention.h"

#include <gtest/gtest.h>

#include <mutex>
#include <numeric>

#include "core/cuda/cuda_backend.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_layer.h"
#include "tests/golden/golden_model.h"

namespace edt::test::compressed_attention {
namespace {

constexpr const char* kFile = "edit_attention_tiny.h5";
constexpr const char* kPrefix = "attention";

// The layer and its values, read once.
class AttentionCase {
 public:
  AttentionCase() : file_(kFile) {
    const auto shape = file_.shape("/attention/inputs/x");
    shape_ = {shape[0], shape[1], shape[2]};
    x_ = values("inputs/x");
    upstream_ = values("inputs/upstream");
    for (const std::string& name : file_.names("/attention/params")) {
      parameters_.emplace_back(name, values("params/" + name));
      gradients_.emplace_back(name, values("grads/" + name));
    }
  }

  std::vector<float> values(const std::string& name) const {
    return file_.read<float>("/attention/" + name);
  }
  const Shape& shape() const { return shape_; }
  std::size_t parameters() const { return parameters_.size(); }
  const std::vector<float>& parameter(const std::string& name) const {
    return find(parameters_, name);
  }
  const std::vector<float>& gradient(const std::string& name) const {
    return find(gradients_, name);
  }

  CompressedAttention make(ParameterList& list) const {
    const auto number = [&](const char* name) {
      return static_cast<std::int64_t>(file_.number("/", name));
    };
    return CompressedAttention::make(
        list, kPrefix,
        {.width = number("hidden_size"),
         .heads = number("num_heads"),
         .grid = {number("height"), number("width")}},
        {number("channel_reduction"), number("groups"), number("stride")});
  }

  GoldenLayer::Result run(Backend& backend, DType dtype, TensorGroup ranks = {}) const {
    GoldenLayer golden(backend, dtype, ranks);
    const CompressedAttention layer = make(golden.list());
    golden.fill([&](const Parameter& p, const Shape&) { return parameter(p.name); });
    return golden.run(x_, shape_, upstream_,
                      [&](Tape& tape, const Var& x) { return layer(tape, x); });
  }

 private:
  using Named = std::vector<std::pair<std::string, std::vector<float>>>;
  // Of "attention.NAME".
  static const std::vector<float>& find(const Named& all, const std::string& name) {
    for (const auto& [one, found] : all) {
      if (std::string(kPrefix) + "." + one == name) return found;
    }
    throw std::runtime_error("no " + name);
  }

  GoldenFile file_;
  Shape shape_;
  std::vector<float> x_, upstream_;
  Named parameters_, gradients_;
};

struct Case {
  const char* backend;
  DType dtype;
  double output_tolerance, gradient_tolerance;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.backend << " in " << name_of(c.dtype); }

class CompressedAttentionLayer : public testing::TestWithParam<Case> {};

TEST_P(CompressedAttentionLayer, OutputAndAllGradients) {
  const auto backend = golden_backend(GetParam().backend);
  if (backend == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  const AttentionCase one;
  const GoldenLayer::Result result = one.run(*backend, GetParam().dtype);
  EXPECT_LE(relative_error(result.output, one.values("expected/output")),
            GetParam().output_tolerance);
  EXPECT_LE(relative_error(result.dx, one.values("grads/x")), GetParam().gradient_tolerance);
  ParameterList names;
  (void)one.make(names);
  EXPECT_EQ(names.all().size(), one.parameters());
  for (std::size_t i = 0; i < names.all().size(); ++i) {
    EXPECT_LE(relative_error(result.gradients[i], one.gradient(names.all()[i].name)),
              GetParam().gradient_tolerance)
        << names.all()[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cuda, CompressedAttentionLayer,
                         testing::Values(Case{"cuda", DType::kFloat32, 1e-5, 1e-4},
                                         Case{"cuda", DType::kBFloat16, 3e-2, 1e-1}));
INSTANTIATE_TEST_SUITE_P(Layers, CompressedAttentionLayer,
                         testing::Values(Case{"reference", DType::kFloat64, 1e-5, 1e-4},
                                         Case{"reference", DType::kFloat32, 1e-5, 1e-4},
                                         Case{"cpu", DType::kFloat32, 1e-5, 1e-4},
                                         Case{"cpu", DType::kBFloat16, 3e-2, 1e-1}));

// Heads are cut. What all ranks hold has the same bits on all of them.
TEST(CompressedAttentionOverRanks, OutputAndAllGradients) {
  constexpr int kRanks = 3;
  const AttentionCase one;
  std::vector<GoldenLayer::Result> results(kRanks);
  std::vector<std::vector<TensorShard>> shards(kRanks);
  run_ranks(kRanks, [&](Communicator& ranks) {
    const auto backend = golden_backend("cpu");
    const auto rank = static_cast<std::size_t>(ranks.rank());
    results[rank] = one.run(*backend, DType::kFloat32, TensorGroup{&ranks});
    ParameterList list(TensorGroup{&ranks});
    (void)one.make(list);
    shards[rank] = list.shards();
  });
  ParameterList whole;
  (void)one.make(whole);
  for (std::size_t i = 0; i < whole.all().size(); ++i) {
    const Parameter& parameter = whole.all()[i];
    std::vector<float> gradient(static_cast<std::size_t>(parameter.shape.elements()));
    for (std::size_t rank = 0; rank < results.size(); ++rank) {
      shards[rank][i].put(results[rank].gradients[i], gradient);
      if (shards[rank][i].whole()) {
        EXPECT_EQ(results[rank].gradients[i], results[0].gradients[i]) << parameter.name;
      }
    }
    EXPECT_LE(relative_error(gradient, one.gradient(parameter.name)), 1.5e-4) << parameter.name;
  }
  for (const GoldenLayer::Result& result : results) {
    EXPECT_LE(relative_error(result.output, one.values("expected/output")), 1e-5);
    EXPECT_EQ(result.output, results[0].output);
    EXPECT_LE(relative_error(result.dx, one.values("grads/x")), 1.5e-4);
  }
}

// The op alone, whose queries, keys and values are in the file by heads [B, H, T, e].
class KernelAttentionForms : public testing::Test {
 protected:
  // [B, H, T, e] -> [B, T, H * e]
  static std::vector<float> by_token(const std::vector<float>& x, std::int64_t tokens) {
    std::vector<float> moved(x.size());
    const std::int64_t batch = static_cast<std::int64_t>(x.size()) / (kHeads * tokens * kSize);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.size()); ++i) {
      const std::int64_t e = i % kSize, t = i / kSize % tokens, h = i / kSize / tokens % kHeads;
      EXPECT_LT(i / kSize / tokens / kHeads, batch);
      moved[(i / kSize / tokens / kHeads * tokens + t) * kHeads * kSize + h * kSize + e] = x[i];
    }
    return moved;
  }
  std::vector<float> attend(const std::vector<float>& q, const std::vector<float>& k,
                            const std::vector<float>& v) {
    GoldenLayer golden(*backend_, DType::kFloat32);
    const auto value = [&](const std::vector<float>& x) {
      const std::int64_t width = kHeads * kSize;
      return golden.tape().leaf(
          view_of(std::span(const_cast<float*>(x.data()), x.size()),
                  {kBatch, static_cast<std::int64_t>(x.size()) / kBatch / width, width}));
    };
    std::vector<float> y;
    {
      const Tape::NoGrad no_grad(golden.tape());
      y = golden.host(
          kernel_attention(golden.tape(), value(q), value(k), value(v), kHeads).tensor());
    }
    golden.tape().clear();
    return y;
  }

  static constexpr std::int64_t kBatch = 2, kHeads = 3, kSize = 8, kQueries = 36, kKeys = 9;
  AttentionCase one_;
  std::unique_ptr<Backend> backend_ = golden_backend("cpu");
  std::vector<float> q_ = by_token(one_.values("expected/query"), kQueries),
                     k_ = by_token(one_.values("expected/key"), kKeys),
                     v_ = by_token(one_.values("expected/value"), kKeys);
};

TEST_F(KernelAttentionForms, IsItsQuadraticForm) {
  std::vector<float> expected(q_.size());
  constexpr std::int64_t kWidth = kHeads * kSize;
  for (std::int64_t row = 0; row < kBatch * kQueries; ++row) {
    for (std::int64_t h = 0; h < kHeads; ++h) {
      std::vector<double> weights;
      double sum = 1e-6;
      for (std::int64_t t = 0; t < kKeys; ++t) {
        const std::int64_t key = (row / kQueries * kKeys + t) * kWidth + h * kSize;
        double dot = 0;
        for (std::int64_t e = 0; e < kSize; ++e) {
          dot +=
              double{std::max(0.f, q_[row * kWidth + h * kSize + e])} * std::max(0.f, k_[key + e]);
        }
        weights.push_back(dot);
        sum += dot;
      }
      for (std::int64_t e = 0; e < kSize; ++e) {
        double value = 0;
        for (std::int64_t t = 0; t < kKeys; ++t) {
          value += weights[t] / sum * v_[(row / kQueries * kKeys + t) * kWidth + h * kSize + e];
        }
        expected[row * kWidth + h * kSize + e] = static_cast<float>(value);
      }
    }
  }
  EXPECT_LE(relative_error(attend(q_, k_, v_), expected), 2e-6);
}

TEST_F(KernelAttentionForms, KeepsWhatAllValuesAre) {
  const std::vector<float> ones(v_.size(), 1.0f), y = attend(q_, k_, ones);
  std::int64_t far_above_epsilon = 0;
  for (const float one : y) {
    EXPECT_LE(one, 1 + 1e-5f);
    far_above_epsilon += one > 1 - 1e-4f ? 1 : 0;
  }
  EXPECT_GT(far_above_epsilon, static_cast<std::int64_t>(y.size()) / 2);
}

TEST_F(KernelAttentionForms, DoesNotSeeTheOrderOfKeys) {
  std::vector<float> keys, values;
  constexpr std::int64_t kWidth = kHeads * kSize;
  for (std::int64_t row = 0; row < kBatch * kKeys; ++row) {
    const std::int64_t from = (row / kKeys * kKeys + kKeys - 1 - row % kKeys) * kWidth;
    keys.insert(keys.end(), k_.begin() + from, k_.begin() + from + kWidth);
    values.insert(values.end(), v_.begin() + from, v_.begin() + from + kWidth);
  }
  EXPECT_LE(relative_error(attend(q_, keys, values), attend(q_, k_, v_)), 1e-6);
}

}  // namespace
}  // namespace edt::test::compressed_attention
