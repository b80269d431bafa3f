// Self-alignment with the moving average as a part of a step: which blocks, what it costs, what it
// learns, and what is refused. Values: tests/golden/teacher_test.cpp.
#include "model/auxiliary/teacher_alignment.h"

#include <gtest/gtest.h>

#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "tests/model/auxiliary/stepped.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::message_of, test::step, test::Stepped, test::term, test::tiny_dit, test::tiny_edt;

TrainingRecipe with_teacher(const ModelConfig& model, const TeacherAlignmentConfig& teacher = {}) {
  return test::recipe_beside(model, {.teacher = teacher});
}

TEST(TeacherAlignment, ComparesThePublishedBlocks) {
  const auto blocks = [](const char* preset, TeacherAlignmentConfig config = {}) {
    config = config.resolved(model_preset(preset));
    return std::pair(config.after, config.teacher_after);
  };
  EXPECT_EQ(blocks("SiT-XL/2"), std::pair(std::int64_t{8}, std::int64_t{20}));
  EXPECT_EQ(blocks("SiT-B/2"), std::pair(std::int64_t{3}, std::int64_t{8}));
  // The second stage of EDT-S, and the fourth, which has as many tokens.
  EXPECT_EQ(blocks("EDT-S/2"), std::pair(std::int64_t{4}, std::int64_t{9}));
  EXPECT_EQ(blocks("EDT-S/2", {.after = 2}), std::pair(std::int64_t{2}, std::int64_t{12}));
}

// A pass of the teacher as far as its block, without gradients, and a head: 20 of 28 blocks of
// SiT-XL are 0.24 of a step, which is three passes.
TEST(TeacherAlignment, CostsAPartOfAPass) {
  TrainingRecipe with = with_teacher(model_preset("SiT-XL/2")), without = with;
  without.auxiliary = {};
  const double step = total_macs(training_gemms({without}));
  const double more = total_macs(training_gemms({with})) - step;
  constexpr double kWidth = 1152, kTokens = 256;
  const double head = 3 * 2 * kTokens * 4 * kWidth * kWidth;  // of two samples
  EXPECT_NEAR((more - head) / step, 20. / 28 / 3, 0.005);
}

TEST(TeacherAlignment, IsLearnt) {
  for (const ModelConfig& model : {ModelConfig(tiny_edt()), ModelConfig(tiny_dit())}) {
    TrainingRecipe recipe = with_teacher(model);
    recipe.auxiliary.teacher->course.weight = 1;
    recipe.engine.optimizer = AdamWConfig{};
    recipe.engine.rate.initial = 3e-3;
    const double first = term(step(recipe).report, "align_teacher"),
                 last = term(step(recipe, 200).report, "align_teacher");
    EXPECT_GT(first, 0);
    EXPECT_LT(last, 0.8 * first) << model.name();
  }
}

// Less noise shows other tokens; none less, the same block and the model's own weights show its
// own.
TEST(TeacherAlignment, SeesLessNoise) {
  TrainingRecipe same = with_teacher(tiny_dit(), {.interval = 0}), less = same;
  less.auxiliary.teacher->interval = 0.9;
  EXPECT_NE(term(step(same).report, "align_teacher"), term(step(less).report, "align_teacher"));
  EXPECT_EQ(step(same).report.loss, step(less).report.loss);
}

// The average follows the weights, and the teacher the average.
TEST(TeacherAlignment, IsTheMovingAverageOfNow) {
  TrainingRecipe still = with_teacher(tiny_dit()), follows = still;
  still.engine.ema_decay = 1;
  EXPECT_EQ(step(still).report.beside, step(follows).report.beside);
  EXPECT_NE(step(still, 3).report.beside, step(follows, 3).report.beside);
}

TEST(TeacherAlignment, EndsWhereItIsToldTo) {
  TeacherAlignmentConfig ends;
  ends.course.until = 5;
  for (const ModelConfig& model : {ModelConfig(tiny_edt()), ModelConfig(tiny_dit())}) {
    test::expect_to_end_at_5(with_teacher(model, ends));
  }
}

TEST(TeacherAlignment, IsTheSameWithRecomputation) {
  test::expect_the_same_with_recomputation(with_teacher(tiny_edt()));
}

TEST(TeacherAlignment, RefusesWhatItCannotRead) {
  const auto refusal = [](const TeacherAlignmentConfig& config) {
    return message_of<UsageError>(
        [&] { check_companions({.teacher = config}, tiny_edt(), ObjectiveConfig{}); });
  };
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({.after = 99}),
            "[model] align.teacher.after is 99, tiny EDT has 6 blocks: 1 to 6 can be read");
  EXPECT_EQ(refusal({.after = 2, .teacher_after = 99}),
            "[model] align.teacher.teacher-after is 99, tiny EDT has 6 blocks: 1 to 6 can be read");
  EXPECT_EQ(refusal({.after = 2, .teacher_after = 3}),
            "[align] align.teacher.after is 2, where tiny EDT has 8 x 8 tokens, and "
            "align.teacher.teacher-after 3, where it has 4 x 4");
}

}  // namespace
}  // namespace edt
