// The two-dimensional state-space layer against values of its published code: kernels, the layer's
// result, and the gradient of every table and of the input. The published layer ends in a layer
// norm that ours has not: it is computed here, in double, and so is its backward.
//
// Tolerances, relative to the largest magnitude of each tensor: 1e-5 and 1e-4 as for the models
// (models_test.cpp); the published kernels are sums of powers, and convolutions are products of
// Fourier transforms.
#include "core/ops/state_space.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/cuda/cuda_backend.h"
#include "model/blocks/spatial_layer.h"
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
  // Of "layer.A", ".B", ".C" or ".omega".
  Values table(const std::string& group, const std::string& name) const {
    if (name == "layer.omega") return read(group + "/omega");
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

struct Case {
  std::string file;
  const char* backend;
  DType dtype;
  double output_tolerance, gradient_tolerance;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.file << " on " << c.backend << " in " << name_of(c.dtype);
}

class StateSpaceLayer : public testing::TestWithParam<Case> {};

TEST_P(StateSpaceLayer, KernelOutputAndAllGradients) {
  const auto backend = golden_backend(GetParam().backend);
  if (backend == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  const LayerCase one(GetParam().file);
  GoldenLayer golden(*backend, GetParam().dtype);
  const SpatialLayer layer =
      SpatialLayer::make(golden.list(), "layer", one.shape()[2], one.grid(), one.config());
  golden.fill([&](const Parameter& p, const Shape&) { return one.table("/params", p.name); });
  const LayerNorm norm(one.by_sample("/expected/before_norm"),
                       one.read("/params/normalization.weight"),
                       one.read("/params/normalization.bias"), one.by_sample("/inputs/upstream"));
  EXPECT_LE(relative_error(norm.y, one.by_sample("/expected/output")), 2e-5);
  Values kernel;
  {
    const Tape::NoGrad no_grad(golden.tape());
    kernel = golden.host(
        ssm2d_kernel(golden.tape(), *layer.a, *layer.b, *layer.c, nullptr, layer.grid).tensor());
  }
  golden.tape().clear();
  EXPECT_LE(relative_error(kernel, one.read("/expected/kernel")), GetParam().output_tolerance);
  const GoldenLayer::Result result =
      golden.run(one.by_sample("/inputs/x"), one.shape(), norm.dx,
                 [&](Tape& tape, const Var& x) { return layer(tape, x); });
  EXPECT_LE(relative_error(result.output, one.by_sample("/expected/before_norm")),
            GetParam().output_tolerance);
  EXPECT_LE(relative_error(result.dx, one.by_sample("/grads/x")), GetParam().gradient_tolerance);
  for (std::size_t i = 0; i < golden.list().all().size(); ++i) {
    const std::string& name = golden.list().all()[i].name;
    EXPECT_LE(relative_error(result.gradients[i], one.table("/grads", name)),
              GetParam().gradient_tolerance)
        << name;
  }
}

std::vector<Case> cases(bool on_gpu) {
  std::vector<Case> all;
  for (const std::string& file : golden_models("ssm2d")) {
    if (on_gpu) {
      all.push_back({file, "cuda", DType::kFloat32, 1e-5, 1e-4});
      all.push_back({file, "cuda", DType::kBFloat16, 3e-2, 1e-1});
      continue;
    }
    all.push_back({file, "reference", DType::kFloat64, 1e-5, 1e-4});
    all.push_back({file, "reference", DType::kFloat32, 1e-5, 1e-4});
    all.push_back({file, "cpu", DType::kFloat32, 1e-5, 1e-4});
    all.push_back({file, "cpu", DType::kBFloat16, 3e-2, 1e-1});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Cuda, StateSpaceLayer, testing::ValuesIn(cases(true)));
INSTANTIATE_TEST_SUITE_P(Layers, StateSpaceLayer, testing::ValuesIn(cases(false)));

}  // namespace
}  // namespace edt::test::state_space
