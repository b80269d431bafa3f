// EDiT's compressed attention against values computed from the formulas of its paper (there is no
// published code; one file in float64, gradients by differences): output, and the gradient of every
// parameter and of the input.
//
// Tolerances, relative to the largest magnitude of each tensor: 1e-5 and 1e-4 as for the models
// (models_test.cpp). bf16 keeps 8 bits of every activation and weight, and a rounded query may lose
// or win a feature.
#include "model/blocks/compressed_attention.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/cuda/cuda_backend.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_layer.h"
#include "tests/golden/golden_model.h"

namespace edt::test::compressed_attention {
namespace {

constexpr const char* kPrefix = "attention";

// The layer and its values, read once.
class AttentionCase {
 public:
  explicit AttentionCase(const std::string& file) : file_(file) {
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

  std::int64_t number(const char* name) const {
    return static_cast<std::int64_t>(file_.number("/", name));
  }
  std::int64_t tokens_of(const std::string& name) const {
    return file_.shape("/attention/expected/" + name)[2];
  }
  // The constant of the file that is another than ours; empty: there is none.
  std::string other_constant() const {
    for (const auto& [name, ours] :
         {std::pair{"eps", kKernelAttentionEpsilon}, std::pair{"leaky_slope", kLeakySlope},
          std::pair{"group_norm_eps", kGroupNormEpsilon}}) {
      if (file_.number("/", name) != ours) {
        return fmt::format("{} is {}, that of the layer {}", name, file_.number("/", name), ours);
      }
    }
    return "";
  }

  CompressedAttention make(ParameterList& list) const {
    return CompressedAttention::make(list, kPrefix, sizes_, config_);
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
  // Read before ranks are threads, which must not read a file at a time.
  CompressedAttention::Sizes sizes_{.width = number("hidden_size"),
                                    .heads = number("num_heads"),
                                    .grid = {number("height"), number("width")}};
  LinearAttentionConfig config_{number("channel_reduction"), number("groups"), number("stride")};
  Shape shape_;
  std::vector<float> x_, upstream_;
  Named parameters_, gradients_;
};

// Absolute where nothing but rounding is expected: a bias in front of a norm whose groups are
// single channels has no gradient.
double gradient_error(const std::vector<float>& actual, const std::vector<float>& expected) {
  const auto largest = [](const std::vector<float>& values) {
    float most = 0;
    for (const float value : values) most = std::max(most, std::abs(value));
    return most;
  };
  return largest(expected) < 1e-5f ? largest(actual) : relative_error(actual, expected);
}

class CompressedAttentionLayer : public testing::TestWithParam<GoldenCase> {};

TEST_P(CompressedAttentionLayer, OutputAndAllGradients) {
  const auto backend = golden_backend(GetParam().backend);
  if (backend == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  const AttentionCase one(GetParam().file);
  if (const std::string other = one.other_constant(); !other.empty()) GTEST_SKIP() << other;
  const GoldenLayer::Result result = one.run(*backend, GetParam().dtype);
  EXPECT_LE(relative_error(result.output, one.values("expected/output")),
            GetParam().output_tolerance);
  EXPECT_LE(relative_error(result.dx, one.values("grads/x")), GetParam().gradient_tolerance);
  ParameterList names;
  (void)one.make(names);
  EXPECT_EQ(names.all().size(), one.parameters());
  for (std::size_t i = 0; i < names.all().size(); ++i) {
    EXPECT_LE(gradient_error(result.gradients[i], one.gradient(names.all()[i].name)),
              GetParam().gradient_tolerance)
        << names.all()[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cuda, CompressedAttentionLayer, testing::ValuesIn(layers_on_gpu("edit")));
INSTANTIATE_TEST_SUITE_P(Layers, CompressedAttentionLayer,
                         testing::ValuesIn(layers_on_host("edit")));

class CompressedAttentionOverRanks : public testing::TestWithParam<std::string> {};

// Heads are cut, a rank has one. What all ranks hold has the same bits on all of them.
TEST_P(CompressedAttentionOverRanks, OutputAndAllGradients) {
  const AttentionCase one(GetParam());
  if (const std::string other = one.other_constant(); !other.empty()) GTEST_SKIP() << other;
  const auto count = static_cast<std::size_t>(one.number("num_heads"));
  std::vector<GoldenLayer::Result> results(count);
  std::vector<std::vector<TensorShard>> shards(count);
  run_ranks(static_cast<int>(count), [&](Communicator& ranks) {
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
    EXPECT_LE(gradient_error(gradient, one.gradient(parameter.name)), 1.5e-4) << parameter.name;
  }
  for (const GoldenLayer::Result& result : results) {
    EXPECT_LE(relative_error(result.output, one.values("expected/output")), 1e-5);
    EXPECT_EQ(result.output, results[0].output);
    EXPECT_LE(relative_error(result.dx, one.values("grads/x")), 1.5e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, CompressedAttentionOverRanks,
                         testing::ValuesIn(golden_models("edit")));

// The op alone, whose queries, keys and values are in the file by heads [B, H, T, e].
class KernelAttentionForms : public testing::TestWithParam<std::string> {
 protected:
  // [B, H, T, e] -> [B, T, H * e]
  std::vector<float> by_token(const std::string& name, std::int64_t tokens) const {
    const std::vector<float> x = one_.values(name);
    std::vector<float> moved(x.size());
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.size()); ++i) {
      const std::int64_t e = i % size_, t = i / size_ % tokens, h = i / size_ / tokens % heads_;
      moved[(i / size_ / tokens / heads_ * tokens + t) * heads_ * size_ + h * size_ + e] = x[i];
    }
    return moved;
  }
  std::vector<float> attend(const std::vector<float>& q, const std::vector<float>& k,
                            const std::vector<float>& v) {
    GoldenLayer golden(*backend_, DType::kFloat32);
    const auto value = [&](const std::vector<float>& x) {
      return golden.tape().leaf(
          view_of(std::span(const_cast<float*>(x.data()), x.size()),
                  {batch_, static_cast<std::int64_t>(x.size()) / batch_ / width_, width_}));
    };
    std::vector<float> y;
    {
      const Tape::NoGrad no_grad(golden.tape());
      y = golden.host(
          kernel_attention(golden.tape(), value(q), value(k), value(v), heads_).tensor());
    }
    golden.tape().clear();
    return y;
  }

  AttentionCase one_{GetParam()};
  std::int64_t batch_ = one_.shape()[0], heads_ = one_.number("num_heads"),
               width_ = one_.number("hidden_size"), size_ = width_ / heads_,
               queries_ = one_.tokens_of("query"), keys_ = one_.tokens_of("key");
  std::unique_ptr<Backend> backend_ = golden_backend("cpu");
  std::vector<float> q_ = by_token("expected/query", queries_),
                     k_ = by_token("expected/key", keys_), v_ = by_token("expected/value", keys_);
};

TEST_P(KernelAttentionForms, IsItsQuadraticForm) {
  std::vector<float> expected(q_.size());
  for (std::int64_t row = 0; row < batch_ * queries_; ++row) {
    for (std::int64_t h = 0; h < heads_; ++h) {
      std::vector<double> weights;
      double sum = kKernelAttentionEpsilon;
      for (std::int64_t t = 0; t < keys_; ++t) {
        const std::int64_t key = (row / queries_ * keys_ + t) * width_ + h * size_;
        double dot = 0;
        for (std::int64_t e = 0; e < size_; ++e) {
          dot +=
              double{std::max(0.f, q_[row * width_ + h * size_ + e])} * std::max(0.f, k_[key + e]);
        }
        weights.push_back(dot);
        sum += dot;
      }
      for (std::int64_t e = 0; e < size_; ++e) {
        double value = 0;
        for (std::int64_t t = 0; t < keys_; ++t) {
          value += weights[t] / sum * v_[(row / queries_ * keys_ + t) * width_ + h * size_ + e];
        }
        expected[row * width_ + h * size_ + e] = static_cast<float>(value);
      }
    }
  }
  EXPECT_LE(relative_error(attend(q_, k_, v_), expected), 2e-6);
}

TEST_P(KernelAttentionForms, KeepsWhatAllValuesAre) {
  const std::vector<float> ones(v_.size(), 1.0f), y = attend(q_, k_, ones);
  std::int64_t far_above_epsilon = 0;
  for (const float one : y) {
    EXPECT_LE(one, 1 + 1e-5f);
    far_above_epsilon += one > 1 - 1e-4f ? 1 : 0;
  }
  EXPECT_GT(far_above_epsilon, static_cast<std::int64_t>(y.size()) / 2);
}

TEST_P(KernelAttentionForms, DoesNotSeeTheOrderOfKeys) {
  std::vector<float> keys, values;
  for (std::int64_t row = 0; row < batch_ * keys_; ++row) {
    const std::int64_t from = (row / keys_ * keys_ + keys_ - 1 - row % keys_) * width_;
    keys.insert(keys.end(), k_.begin() + from, k_.begin() + from + width_);
    values.insert(values.end(), v_.begin() + from, v_.begin() + from + width_);
  }
  EXPECT_LE(relative_error(attend(q_, keys, values), attend(q_, k_, v_)), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Layers, KernelAttentionForms, testing::ValuesIn(golden_models("edit")));

}  // namespace
}  // namespace edt::test::compressed_attention
