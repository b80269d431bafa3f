// Masks of units, what pulls them down, and how the bound falls, against values of DMAD's published
// code. Tolerances: values are float32 on both sides.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <memory>

#include "core/cuda/cuda_backend.h"
#include "model/pruning/decisions.h"
#include "tests/golden/golden_model.h"

namespace edt::test {
namespace {

constexpr double kTolerance = 2e-6;

class UnitMaskGolden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    backend_ = golden_backend(GetParam());
    if (backend_ == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
    arena_ = std::make_unique<Arena>(backend_->memory());
    tape_ = std::make_unique<Tape>(*backend_, *arena_, profiler_, DType::kFloat32);
  }

  Tensor upload(const std::vector<float>& values, const Shape& shape) {
    Tensor to{nullptr, shape, DType::kFloat32};
    to.data = memory_.emplace_back(backend_->memory(), to.bytes()).data();
    backend_->upload_floats(values, to);
    return to;
  }
  std::vector<float> host(const Tensor& tensor) const {
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    backend_->download(tensor, values.data());
    return values;
  }
  // One bound for all units, scales and prices of 1.
  Tensor band(double bound, std::int64_t units) {
    std::vector<float> values(static_cast<std::size_t>(3 * units), 1.f);
    std::fill_n(values.begin(), units, static_cast<float>(bound));
    return upload(values, {3, units});
  }

  std::deque<Block> memory_;
  Profiler profiler_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Arena> arena_;
  std::unique_ptr<Tape> tape_;
};

void expect_near(const std::vector<float>& actual, const std::vector<float>& expected,
                 const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], kTolerance * (1 + std::abs(expected[i])))
        << what << " " << i;
  }
}

// [N, C, H, W] with the channels last, and back.
std::vector<float> channels_last(const std::vector<float>& values,
                                 const std::vector<std::int64_t>& s, bool back) {
  std::vector<float> out(values.size());
  const std::int64_t n = s[0], c = s[1], places = s[2] * s[3];
  for (std::int64_t b = 0; b < n; ++b) {
    for (std::int64_t k = 0; k < c; ++k) {
      for (std::int64_t p = 0; p < places; ++p) {
        const auto first = static_cast<std::size_t>((b * c + k) * places + p),
                   last = static_cast<std::size_t>((b * places + p) * c + k);
        back ? out[first] = values[last] : out[last] = values[first];
      }
    }
  }
  return out;
}

std::string group_of(double bound) {
  const int thousandths = static_cast<int>(std::lround(1000 * bound));
  return fmt::format("/bound_{}_{:03}", thousandths / 1000, thousandths % 1000);
}

TEST_P(UnitMaskGolden, MasksAndTheirGradients) {
  for (const std::string& name : golden_models("dmad")) {
    const GoldenFile file(name);
    const auto weights = file.read<float>("/params/mask_weight");
    const auto units = static_cast<std::int64_t>(weights.size());
    const auto shape = file.shape("/inputs/x");
    const Shape rows{shape[0], shape[2] * shape[3], shape[1]};
    for (const double bound : file.numbers("/", "bounds")) {
      const std::string at = "/expected" + group_of(bound), of = "/grads" + group_of(bound);
      const Var w = tape_->leaf(upload(weights, {units}), true);
      const Var x = tape_->leaf(
          upload(channels_last(file.read<float>("/inputs/x"), shape, false), rows), true);
      Var mask = band_mask(*tape_, w, band(bound, units));
      expect_near(host(mask.tensor()), file.read<float>(at + "/mask"), at + "/mask");
      Var y = mask_units(*tape_, x, mask);
      expect_near(channels_last(host(y.tensor()), shape, true), file.read<float>(at + "/output"),
                  at + "/output");
      tape_->device().copy(
          upload(channels_last(file.read<float>("/inputs/upstream"), shape, false), rows),
          tape_->target(y.grad()).tensor);
      tape_->backward();
      expect_near(channels_last(host(tape_->grad_of(x)), shape, true), file.read<float>(of + "/x"),
                  of + "/x");
      expect_near(host(tape_->grad_of(w)), file.read<float>(of + "/mask_weight"),
                  of + "/mask_weight");
    }
  }
}

TEST_P(UnitMaskGolden, SparsitiesAndTheirGradients) {
  const std::pair<const char*, SparsityForm> forms[] = {{"relu", SparsityForm::kRelu},
                                                        {"bound", SparsityForm::kBound},
                                                        {"uprelu", SparsityForm::kUprelu}};
  for (const std::string& name : golden_models("dmad")) {
    const GoldenFile file(name);
    const auto weights = file.read<float>("/params/mask_weight");
    const auto units = static_cast<std::int64_t>(weights.size());
    for (const double bound : file.numbers("/", "bounds")) {
      for (const auto& [form_name, form] : forms) {
        const std::string of = fmt::format("{}/sparsity_{}", group_of(bound), form_name);
        const Tensor losses = upload({1, 2}, {2});
        const Var w = tape_->leaf(upload(weights, {units}), true);
        const Var sum = band_sparsity(*tape_, w, band(bound, units), form, losses);
        const float expected = file.read<float>("/expected" + of)[0];
        expect_near(host(sum.tensor()), {expected}, of);
        expect_near(host(losses), {1 + expected, 2 + expected}, of);
        tape_->backward(sum);
        expect_near(host(tape_->grad_of(w)), file.read<float>("/grads" + of), of);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, UnitMaskGolden, testing::Values("reference", "cpu"),
                         [](const auto& one) { return std::string(one.param); });
INSTANTIATE_TEST_SUITE_P(Cuda, UnitMaskGolden, testing::Values("cuda"),
                         [](const auto& one) { return std::string(one.param); });

TEST(UnitMask, BoundsFallAsPublished) {
  for (const std::string& name : golden_models("dmad")) {
    const GoldenFile file(name);
    const std::pair<const char*, BoundCourse> courses[] = {{"cube", BoundCourse::kCube},
                                                           {"square", BoundCourse::kSquare}};
    for (const auto& [course_name, course] : courses) {
      const auto expected = file.read<double>(std::string("/expected/schedule/") + course_name);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(bound_at(course, static_cast<double>(i) / 100), expected[i], 1e-7) << i;
      }
    }
  }
}

}  // namespace
}  // namespace edt::test
