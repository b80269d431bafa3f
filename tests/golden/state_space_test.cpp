// The two-dimensional state-space layer against values of its published code: kernels, the layer's
// result, and the gradient of every table and of the input. The published layer ends in a layer
// norm that ours has not: where a file has one, it is computed here, in double, and so is its
// backward. Where its kernel is smaller than the grid, ours of that size is laid into zeros. Files
// that say so in their attribute `source` were computed from the formulas in float64, gradients by
// differences.
//
// Tolerances, relative to the largest magnitude of each tensor: 1e-5 and 1e-4 as for the models
// (models_test.cpp); the published kernels are sums of powers, and convolutions are products of
// Fourier transforms.
#include "core/ops/state_space.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>

#include "core/cuda/cuda_backend.h"
#include "core/ops/backend.h"
#include "model/blocks/spatial_layer.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_layer.h"
#include "tests/golden/golden_model.h"

namespace edt::test::state_space {
namespace {

using Values = std::vector<float>;

// Published [T, B, D] <-> ours [B, T, D].
Values swapped(const Values& x, std::int64_t first, std::int64_t second) {
  Values to(x.size());
  const std::int64_t width = static_cast<std::int64_t>(x.size()) / (first * second);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.size()); ++i) {
    const std::int64_t a = i / width / second, b = i / width % second;
    to[(b * first + a) * width + i % width] = x[i];
  }
  return to;
}

// y = norm(x) weight + bias over rows, and the gradient by x of what arrives at y.
struct LayerNorm {
  Values y, dx;

  LayerNorm(const Values& x, const Values& weight, const Values& bias, const Values& dy)
      : y(x.size()), dx(x.size()) {
    const std::size_t n = weight.size();
    const auto width = static_cast<double>(n);
    for (std::size_t row = 0; row < x.size(); row += n) {
      double mean = 0, square = 0, sum = 0, product = 0;
      for (std::size_t i = 0; i < n; ++i) mean += x[row + i] / width;
      for (std::size_t i = 0; i < n; ++i) square += std::pow(x[row + i] - mean, 2) / width;
      const double factor = 1 / std::sqrt(square + 1e-5);
      const auto normed = [&](std::size_t i) { return (x[row + i] - mean) * factor; };
      for (std::size_t i = 0; i < n; ++i) {
        y[row + i] = static_cast<float>(normed(i) * weight[i] + bias[i]);
        sum += double{dy[row + i]} * weight[i] / width;
        product += double{dy[row + i]} * weight[i] * normed(i) / width;
      }
      for (std::size_t i = 0; i < n; ++i) {
        dx[row + i] = static_cast<float>(
            factor * (double{dy[row + i]} * weight[i] - sum - normed(i) * product));
      }
    }
  }
};

// A kernel [few cells, N] in the first rows and columns of one of the whole grid, zero elsewhere.
Var laid_into_zeros(Tape& tape, const Var& kernel, const TokenGrid& few, const TokenGrid& grid) {
  const Var whole = tape.make({grid.tokens(), kernel.shape()[1]}, tape.accurate_dtype());
  tape.device().zero(whole.tensor());
  const auto row_of = [](const Tensor& all, std::int64_t row, std::int64_t wide,
                         std::int64_t columns) {
    return all.slice(row * wide, row * wide + columns);
  };
  for (std::int64_t row = 0; row < few.rows; ++row) {
    tape.device().copy(row_of(kernel.tensor(), row, few.columns, few.columns),
                       row_of(whole.tensor(), row, grid.columns, few.columns));
  }
  tape.record("laid_into_zeros", whole, {},
              [dkernel = kernel.grad(), few, grid, row_of](Tape& t, OutputGrad& dwhole) {
                const Tensor sum = t.accumulator(dkernel);
                for (std::int64_t row = 0; row < few.rows; ++row) {
                  t.device().add_into(row_of(dwhole.tensor(), row, grid.columns, few.columns),
                                      row_of(sum, row, few.columns, few.columns));
                }
              });
  return whole;
}

// A file's values in the order of ours.
class LayerCase {
 public:
  explicit LayerCase(const std::string& name) : file_(name) {}

  std::int64_t number(const char* name) const {
    return static_cast<std::int64_t>(file_.number("/", name));
  }
  SpatialConfig config() const {
    return {.form = is_complex() ? SpatialForm::kComplex : SpatialForm::kReal,
            .states = number("state_dim"),
            .groups = number("n_ssm"),
            .directions = number("directions")};
  }
  TokenGrid grid() const { return TokenGrid::square(number("side")); }
  TokenGrid kernel_grid() const { return TokenGrid::square(number("kernel_side")); }
  // Whether the input is handed through: omega, which ours always has, is zero where it is not.
  bool has_residual() const { return number("residual") != 0; }
  bool has_norm() const { return number("normalize") != 0; }
  Values read(const std::string& name) const { return file_.read<float>(name); }
  // [T, B, D] of the file as [B, T, D].
  Values by_sample(const std::string& name) const {
    const auto shape = file_.shape(name);
    return swapped(read(name), shape[0], shape[1]);
  }
  Shape shape() const {
    const auto of = file_.shape("/inputs/x");
    return {of[1], of[0], of[2]};
  }
  // What the layer without its norm gives.
  Values before_norm() const {
    return by_sample(has_norm() ? "/expected/before_norm" : "/expected/output");
  }
  // The gradient that arrives there; what a norm makes of the layer's result is checked by the way.
  Values gradient_before_norm() const {
    if (!has_norm()) return by_sample("/inputs/upstream");
    const LayerNorm norm(before_norm(), read("/params/normalization.weight"),
                         read("/params/normalization.bias"), by_sample("/inputs/upstream"));
    EXPECT_LE(relative_error(norm.y, by_sample("/expected/output")), 2e-5);
    return norm.dx;
  }
  // Of "layer.A", ".B", ".C" or ".omega".
  Values table(const std::string& group, const std::string& name) const {
    if (name == "layer.omega") {
      return has_residual() ? read(group + "/omega") : Values(static_cast<std::size_t>(shape()[2]));
    }
    if (name == "layer.A") return coefficients(group);
    return planes(group, name == "layer.B" ? "B" : "C");
  }

 private:
  bool is_complex() const { return number("complex") != 0; }
  Values coefficients(const std::string& group) const {
    Values all;
    for (const char* part : {"A_radius", "A_angle"}) {
      for (int i = 1; i <= 4; ++i) {
        const std::string kind = is_complex() ? part : "A";
        const Values one = read(group + "/" + kind + ".A_" + std::to_string(i));
        all.insert(all.end(), one.begin(), one.end());
      }
      if (!is_complex()) break;
    }
    return all;
  }
  Values planes(const std::string& group, const std::string& table) const {
    Values all;
    const std::size_t parts = is_complex() ? 2 : 1;
    for (std::size_t part = 0; part < parts; ++part) {
      for (const char* which : {"_1", "_2"}) {
        const Values one = read(group + "/" + table + which);
        for (std::size_t i = part; i < one.size(); i += parts) all.push_back(one[i]);
      }
    }
    return all;
  }

  GoldenFile file_;
};

class StateSpaceLayer : public testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
    backend_ = golden_backend(GetParam().backend);
    if (backend_ == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
    golden_.emplace(*backend_, GetParam().dtype);
    layer_ = SpatialLayer::make(golden_->list(), "layer", file_.shape()[2], file_.grid(),
                                file_.config());
    golden_->fill([&](const Parameter& p, const Shape&) { return file_.table("/params", p.name); });
  }

  Var kernel(Tape& tape, Parameter* omega) const {
    return ssm2d_kernel(tape, *layer_.a, *layer_.b, *layer_.c, omega, file_.kernel_grid());
  }
  // The layer itself, where its kernel is as large as the grid: ours knows no smaller one.
  Var layer(Tape& tape, const Var& x) const {
    if (file_.kernel_grid().tokens() == file_.grid().tokens()) return layer_(tape, x);
    const Var whole =
        laid_into_zeros(tape, kernel(tape, layer_.omega), file_.kernel_grid(), file_.grid());
    return grid_convolution(tape, x, whole, file_.grid());
  }

  LayerCase file_{GetParam().file};
  std::unique_ptr<Backend> backend_;
  std::optional<GoldenLayer> golden_;
  SpatialLayer layer_;
};

TEST_P(StateSpaceLayer, Kernel) {
  Values values;
  {
    const Tape::NoGrad no_grad(golden_->tape());
    values = golden_->host(kernel(golden_->tape(), nullptr).tensor());
  }
  golden_->tape().clear();
  EXPECT_LE(relative_error(values, file_.read("/expected/kernel")), GetParam().output_tolerance);
}

TEST_P(StateSpaceLayer, OutputAndAllGradients) {
  const GoldenLayer::Result result =
      golden_->run(file_.by_sample("/inputs/x"), file_.shape(), file_.gradient_before_norm(),
                   [&](Tape& tape, const Var& x) { return layer(tape, x); });
  EXPECT_LE(relative_error(result.output, file_.before_norm()), GetParam().output_tolerance);
  EXPECT_LE(relative_error(result.dx, file_.by_sample("/grads/x")), GetParam().gradient_tolerance);
  for (std::size_t i = 0; i < golden_->list().all().size(); ++i) {
    const std::string& name = golden_->list().all()[i].name;
    if (name == "layer.omega" && !file_.has_residual()) continue;
    EXPECT_LE(relative_error(result.gradients[i], file_.table("/grads", name)),
              GetParam().gradient_tolerance)
        << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cuda, StateSpaceLayer, testing::ValuesIn(layers_on_gpu("ssm2d")));
INSTANTIATE_TEST_SUITE_P(Layers, StateSpaceLayer, testing::ValuesIn(layers_on_host("ssm2d")));

}  // namespace
}  // namespace edt::test::state_space
