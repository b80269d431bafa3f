// The losses of teachers that have no network of their own in the files: DINO's, and the attention
// term of DMAD. Tolerances as in models_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <memory>

#include "core/cuda/cuda_backend.h"
#include "core/reference/reference_backend.h"
#include "model/auxiliary/companions.h"
#include "tests/golden/golden_model.h"
#include "tests/support/tiny_models.h"

namespace edt::test {
namespace {

constexpr double kLossTolerance = 1e-5, kGradientTolerance = 1e-4;

// Files that have no model are known by an attribute that only they have.
std::vector<std::string> files_with(const char* attribute) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir())) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".h5") && GoldenFile(name).has_attribute("/", attribute)) {
      found.push_back(name);
    }
  }
  std::ranges::sort(found);
  return found;
}

class DistillationGolden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    backend_ = golden_backend(GetParam());
    if (backend_ == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  }
  void TearDown() override { memory_.clear(); }

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

  struct Result {
    double loss = 0;
    std::vector<float> gradient;
  };
  // Of `student` compared with `teacher` after made(tape, .) of each; the loss is the mean of rows.
  template <class Make>
  Result compare(const Tensor& student, const Tensor& teacher, const TokenDistance& distance,
                 Make make) {
    Arena arena(backend_->memory());
    Profiler profiler;
    Tape tape(*backend_, arena, profiler, DType::kFloat32);
    Result result;
    {
      const Var leaf = tape.leaf(student, true);
      const Var target = make(tape, tape.leaf(teacher));
      const Var y = make(tape, leaf);
      const std::int64_t rows = student.shape[0];
      const Tensor ones = upload(std::vector<float>(static_cast<std::size_t>(rows), 1.f), {rows});
      const Var mean =
          token_loss(tape, y, {target, ones, ones, distance},
                     upload(std::vector<float>(static_cast<std::size_t>(rows)), {rows}));
      result.loss = host(mean.tensor())[0];
      tape.backward(mean);
      result.gradient = host(tape.grad_of(leaf));
    }
    return result;
  }

  std::unique_ptr<Backend> backend_;
  std::deque<Block> memory_;
};

// Of rows of logits. The centre is taken off the teacher's before its softmax.
TEST_P(DistillationGolden, DinosCrossEntropy) {
  const auto files = files_with("center_momentum");
  ASSERT_FALSE(files.empty());
  for (const std::string& name : files) {
    const GoldenFile file(name);
    const std::int64_t rows = file.shape("/inputs/student")[0],
                       logits = file.shape("/inputs/student")[1];
    auto teacher = file.read<float>("/inputs/teacher");
    const auto center = file.read<float>("/inputs/center");
    for (std::size_t i = 0; i < teacher.size(); ++i) teacher[i] -= center[i % center.size()];
    const Shape shape{rows, 1, logits};
    const Result result =
        compare(upload(file.read<float>("/inputs/student"), shape), upload(teacher, shape),
                {.kind = Distance::kCrossEntropy,
                 .group = logits,
                 .temperature = file.number("/", "student_temp"),
                 .target_temperature = file.number("/", "teacher_temp")},
                [](Tape&, const Var& x) { return x; });
    EXPECT_NEAR(result.loss / file.read<double>("/expected/loss")[0], 1, kLossTolerance) << name;
    EXPECT_LE(relative_error(result.gradient, file.read<float>("/grads/student")),
              kGradientTolerance)
        << name;
  }
}

// What is taken off moves with each step, by the mean of the teacher's rows.
TEST(SelfDiscrimination, CentreMovesAsDinos) {
  for (const std::string& name : files_with("center_momentum")) {
    const GoldenFile file(name);
    const auto teacher = file.read<float>("/inputs/teacher"),
               centre = file.read<float>("/inputs/center");
    const ModelConfig config = tiny_dit();
    const auto backend = make_reference_backend();
    const ModelPlace place{*backend, DType::kFloat32, {}};
    const auto model = make_model(config, *backend, DType::kFloat32);
    const auto logits = static_cast<std::int64_t>(centre.size());
    const auto companions = make_companions(
        {.prototypes =
             PrototypeAlignmentConfig{.prototypes = logits,
                                      .width = 8,
                                      .centre_momentum = file.number("/", "center_momentum")}},
        config, {.masked = false}, place, *model);
    AuxiliaryLoss& companion = *companions.at(0);
    InputBuffers inputs(*backend);
    constexpr std::int64_t kBatch = 3;
    companion.add_inputs(inputs, kBatch, 1);
    companion.restore(centre);
    // Of two micro-batches, sums over all of their tokens.
    const auto tokens = static_cast<float>(kBatch * config.common().patches().tokens());
    const std::size_t samples = teacher.size() / centre.size();
    const auto rows = static_cast<float>(samples);
    std::vector<float> sums(2 * centre.size());
    for (std::size_t i = 0; i < teacher.size(); ++i) {
      const std::size_t half = i < teacher.size() / 2 ? 0 : centre.size();
      sums[half + i % centre.size()] += 2 * tokens * teacher[i] / rows;
    }
    companion.learn(sums);
    EXPECT_LE(relative_error(companion.state(), file.read<float>("/expected/center_after")), 1e-6);
  }
}

// [B, C, H, W] as tokens [B, H W, C]: with rows and columns exchanged, as back.
std::vector<float> turned(const std::vector<float>& values, std::int64_t rows,
                          std::int64_t columns) {
  std::vector<float> out(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t b = at / (rows * columns), r = at / columns % rows, c = at % columns;
    out[static_cast<std::size_t>((b * columns + c) * rows + r)] = values[i];
  }
  return out;
}

// Networks of other widths agree where their features are large.
TEST_P(DistillationGolden, AttentionTransfer) {
  std::size_t places = 0;
  for (const std::string& name : golden_models("dmad")) {
    const GoldenFile file(name);
    for (const std::string& place : file.names("/inputs")) {
      if (!place.starts_with("attention")) continue;
      ++places;
      const auto tokens = [&](const char* who) {
        const std::string at = "/inputs/" + place + "/" + who;
        const auto shape = file.shape(at);
        const std::int64_t count = shape[2] * shape[3];
        return upload(turned(file.read<float>(at), shape[1], count), {shape[0], count, shape[1]});
      };
      const Tensor student = tokens("student");
      const Result result = compare(student, tokens("teacher"), {}, [](Tape& tape, const Var& x) {
        return attention_map(tape, x);
      });
      EXPECT_NEAR(result.loss / file.read<double>("/expected/" + place + "/loss")[0], 1,
                  kLossTolerance)
          << name << " " << place;
      EXPECT_LE(relative_error(turned(result.gradient, student.shape[1], student.shape[2]),
                               file.read<float>("/grads/" + place + "/student")),
                kGradientTolerance)
          << name << " " << place;
    }
  }
  EXPECT_GT(places, 0u);
}

INSTANTIATE_TEST_SUITE_P(Losses, DistillationGolden, testing::Values("reference", "cpu"),
                         [](const auto& one) { return std::string(one.param); });
INSTANTIATE_TEST_SUITE_P(Cuda, DistillationGolden, testing::Values("cuda"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace edt::test
