// Losses of given samples against their definition, computed here step by step.
#include "model/training/validation_loss.h"

#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "model/plan/validation_run.h"
#include "model/weights.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

constexpr std::uint64_t kSeed = 7;
constexpr std::size_t kElements = std::size_t{4} * 16 * 16;

class Validation : public testing::Test {
 protected:
  explicit Validation(const ProcessConfig& process = ProcessConfig::flow()) {
    DitConfig config = test::tiny_dit();
    config.process = process;
    config_ = config;
    model_ = make_model(config_, *backend_, DType::kFloat32);
    std::uint32_t index = 0;
    for (Parameter& parameter : model_->parameters().all()) {
      auto& values = memory_.emplace_back(static_cast<std::size_t>(parameter.shape.elements()));
      random::fill_normal({.seed = 9, .sample = index++}, values);
      for (float& v : values) v *= 0.2f;
      parameter.value = view_of(std::span(values), parameter.shape);
    }
    random::fill_normal({.seed = 3}, latents_);
  }

  std::vector<double> losses(std::int64_t batch, std::size_t rows) {
    ValidationLoss loss(*model_, *backend_, DType::kFloat32, {}, batch);
    return loss.run(kSeed,
                    {std::span(latents_).first(rows * kElements), std::span(labels_).first(rows),
                     std::span(times_).first(rows), std::span(noises_).first(rows)});
  }
  // What the network gives for one row, as an image.
  std::vector<float> predicted(const std::vector<float>& x_t, std::size_t row) {
    Arena arena(backend_->memory());
    Profiler profiler;
    Tape tape(*backend_, arena, profiler, DType::kFloat32);
    const Tape::NoGrad inference(tape);
    std::vector<float> image(kElements);
    std::vector<float> told{model_->process().told(times_[row])};
    std::vector<std::int32_t> label{labels_[row]};
    std::vector<float> input = x_t;
    {
      const Var tokens =
          model_->forward(tape, {view_of(std::span(input), {1, 4, 16, 16}),
                                 view_of(std::span(told), {1}), view_of(std::span(label), {1})});
      backend_->unpatchify(tokens.tensor(), model_->patch(),
                           view_of(std::span(image), {1, 4, 16, 16}));
    }
    tape.clear();
    return image;
  }

  std::unique_ptr<Backend> backend_ = make_reference_backend();
  ModelConfig config_ = test::tiny_dit();
  std::unique_ptr<Model> model_;
  std::vector<std::vector<float>> memory_;
  std::vector<float> latents_ = std::vector<float>(3 * kElements);
  std::vector<std::int32_t> labels_{0, 3, 1}, noises_{4, 0, 7};
  std::vector<double> times_{0.0625, 0.4375, 0.9375};
};

// 1e-5: float32 sums of 1024 squares in another order.
TEST_F(Validation, IsTheSquaredErrorOfWhatIsPredicted) {
  const std::vector<double> found = losses(3, 3);
  const Process& process = model_->process();
  for (std::size_t row = 0; row < 3; ++row) {
    std::vector<float> noise(kElements), x_t(kElements);
    random::fill_normal({kSeed, random::Purpose::kEvaluation, 0x80000001u,
                         static_cast<std::uint32_t>(noises_[row])},
                        noise);
    const PathPoint point = process.at(times_[row]);
    const auto [of_origin, of_noise] = process.target(times_[row]);
    const auto x = std::span(latents_).subspan(row * kElements, kElements);
    for (std::size_t e = 0; e < kElements; ++e) {
      x_t[e] = static_cast<float>(point.alpha * double{x[e]} + point.sigma * double{noise[e]});
    }
    const std::vector<float> out = predicted(x_t, row);
    double sum = 0;
    for (std::size_t e = 0; e < kElements; ++e) {
      const double off = of_origin * double{x[e]} + of_noise * double{noise[e]} - double{out[e]};
      sum += off * off;
    }
    EXPECT_NEAR(found[row], sum / kElements, 1e-5 * found[row]) << row;
  }
}

TEST_F(Validation, OfARowDependsOnNothingElse) {
  const std::vector<double> all = losses(3, 3);
  EXPECT_EQ(losses(3, 3), all);
  EXPECT_EQ(losses(3, 2), (std::vector<double>{all[0], all[1]}));
  EXPECT_EQ(losses(3, 1).front(), all[0]);
  std::swap(noises_[0], noises_[1]);
  EXPECT_NE(losses(3, 3)[0], all[0]);
}

struct DdpmValidation : Validation {
  DdpmValidation() : Validation(ProcessConfig{}) {}
};

// The bound of the variance is part of a DDPM's loss, as it is of training's.
TEST_F(DdpmValidation, HasAllTermsOfTheLoss) {
  times_ = {0.062, 0.437, 0.937};
  const std::vector<double> found = losses(3, 3);
  ObjectiveConfig judge{.masked = false, .judges = true};
  Objective objective(*model_, *backend_, judge, 3);
  Arena arena(backend_->memory());
  Profiler profiler;
  Tape tape(*backend_, arena, profiler, DType::kFloat32);
  const std::vector<float> ones(3, 1.f);
  std::vector<float> values(2 * 3);
  objective.prepare({kSeed, 0x80000001u}, {latents_, labels_, noises_, times_, ones});
  objective.judge(tape, view_of(std::span(values), {2, 3}));
  for (std::size_t row = 0; row < 3; ++row) {
    EXPECT_GT(values[3 + row], 0);
    EXPECT_DOUBLE_EQ(found[row], double{values[row]} + double{values[3 + row]});
  }
}

TEST_F(Validation, PlansTheMemoryThatItTakes) {
  const auto of = [&](std::int64_t batch) {
    return dry_run_of_validation(config_, DType::kFloat32, {}, batch);
  };
  // Three latents and what was drawn of them, at least.
  EXPECT_GT(of(4), 4 * 4 * kElements * sizeof(float));
  EXPECT_GT(of(4096), of(4));
}

}  // namespace
}  // namespace edt
