// Distillation as a part of a step: what it compares, what it costs, and what is refused. Values:
// tests/golden/distillation_test.cpp.
#include "model/auxiliary/distillation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/model/auxiliary/stepped.h"
#include "tests/support/distilled.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::step, test::Stepped, test::distilled_from, test::message_of, test::recipe_beside,
    test::tiny_dit, test::tiny_edt;

TrainingRecipe recipe_of(const ModelConfig& model, const DistillationConfig& distillation) {
  return recipe_beside(model, {.distillation = distillation});
}

// Weights of the one that trains, as initialize() draws them, for a teacher of the same layout.
DistillationConfig of_itself(const ModelConfig& model, double output, double attention) {
  DistillationConfig config = distilled_from(model, output, attention);
  config.read = [](const Model& teacher, const FlatLayout& layout, std::span<float> weights) {
    for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
      const FlatTensor& tensor = layout.tensor(i);
      teacher.parameters().initialize(i, EngineConfig{}.seed,
                                      weights.subspan(static_cast<std::size_t>(tensor.offset),
                                                      static_cast<std::size_t>(tensor.elements())));
    }
  };
  return config;
}

// Who is the teacher has nothing to learn of it: in the first step terms are what the rounding of
// passes of other numbers of rows leaves, and then the outputs differ.
TEST(Distillation, OfItselfIsZero) {
  for (const ModelConfig& model :
       {ModelConfig(tiny_edt()), ModelConfig(tiny_dit()), ModelConfig(test::tiny_mdtv2())}) {
    const TrainingRecipe recipe = recipe_of(model, of_itself(model, 1, 10));
    const Stepped first = step(recipe), second = step(recipe, 2);
    ASSERT_GE(first.report.beside.size(), 2u);
    for (std::size_t i = 0; i < first.report.beside.size(); ++i) {
      EXPECT_LT(first.report.beside[i].second, 1e-12) << first.report.beside[i].first;
    }
    EXPECT_GT(second.report.beside[0].second, 1e-9) << model.name();
  }
}

TEST(Distillation, HasATermForEachMap) {
  const Stepped stepped = step(recipe_of(tiny_edt(), distilled_from(tiny_edt(8), 1, 10)));
  std::vector<std::string> names;
  for (const auto& [name, value] : stepped.report.beside) {
    names.push_back(name);
    EXPECT_GT(value, 0) << name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"distill_output", "distill_attention_2",
                                             "distill_attention_3", "distill_attention_4",
                                             "distill_attention_5", "distill_attention_6"}));
}

// The mean square between outputs falls, also where the teacher is of another family.
TEST(Distillation, IsLearnt) {
  TrainingRecipe recipe = recipe_of(tiny_edt(), distilled_from(tiny_dit(), 20));
  recipe.engine.optimizer = AdamWConfig{};
  recipe.engine.rate.initial = 3e-3;
  const Stepped first = step(recipe), last = step(recipe, 100);
  ASSERT_EQ(first.report.beside.size(), 1u);
  EXPECT_LT(last.report.beside[0].second, 0.8 * first.report.beside[0].second);
}

TEST(Distillation, EndsWhereItIsToldTo) {
  DistillationConfig config = distilled_from(tiny_edt(8), 1, 10);
  config.course.until = 5;
  test::expect_to_end_at_5(recipe_of(tiny_edt(), config));
}

TEST(Distillation, IsTheSameWithRecomputation) {
  test::expect_the_same_with_recomputation(
      recipe_of(tiny_edt(), distilled_from(tiny_edt(8), 1, 10)));
}

double macs(const TrainingRecipe& recipe) { return total_macs(training_gemms({recipe})); }

// The products of a teacher are those of a pass without gradients; of maps alone, those up to the
// last block whose map is read.
TEST(Distillation, CostsAPassOfTheTeacher) {
  const ModelConfig student = tiny_edt(), teacher = tiny_dit();
  const auto with = [&](double output, double attention, std::vector<std::int64_t> after = {}) {
    DistillationConfig config = distilled_from(teacher, output, attention);
    if (attention > 0) config.after = {2}, config.teacher_after = std::move(after);
    return recipe_of(student, config);
  };
  TrainingRecipe without = with(1, 0);
  without.auxiliary = {};
  const double alone = macs(without), pass = total_macs(forward_gemms(teacher, 2));
  EXPECT_DOUBLE_EQ(macs(with(1, 0)) - alone, pass);
  EXPECT_DOUBLE_EQ(macs(with(1, 10, {1})) - alone, pass);
  const double of_maps = macs(with(0, 10, {1})) - alone;
  EXPECT_LT(of_maps, 0.75 * pass);
  EXPECT_GT(of_maps, 0.25 * pass);
  EXPECT_DOUBLE_EQ(macs(with(0, 10, {2})) - alone, pass);
}

TEST(Distillation, PlansKnowTheTeachersMemory) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    TrainingRecipe recipe = recipe_of(tiny_edt(), distilled_from(tiny_edt(24), 1, 10));
    recipe.engine.dtype = dtype;
    const Stepped stepped = step(recipe);
    const auto backend = make_cpu_backend();
    const auto teacher = make_model(tiny_edt(24), *backend, dtype);
    EXPECT_GE(stepped.teacher_bytes,
              static_cast<std::size_t>(teacher->parameters().elements_of("")) * size_of(dtype));
    std::size_t planned = 0;
    for (const MemoryUse& use : dry_run({recipe}).memory) {
      if (use.category == "teacher") planned += use.bytes;
    }
    EXPECT_EQ(planned, stepped.teacher_bytes);
  }
}

// A teacher that is cut over tensor ranks is the same network, and its losses are the same on all.
TEST(Distillation, OverTensorRanks) {
  const TrainingRecipe recipe = recipe_of(tiny_edt(), distilled_from(tiny_edt(24), 1, 10));
  const Stepped one = step(recipe);
  constexpr int kRanks = 2;
  std::vector<Stepped> all(kRanks);
  run_ranks(kRanks, [&](Communicator& ranks) {
    all[static_cast<std::size_t>(ranks.rank())] = step(recipe, 1, 0, {&ranks});
  });
  EXPECT_EQ(all[0].report.beside, all[1].report.beside);
  EXPECT_LT(all[0].teacher_bytes, one.teacher_bytes);
  ASSERT_EQ(all[0].report.beside.size(), one.report.beside.size());
  for (std::size_t i = 0; i < one.report.beside.size(); ++i) {
    const auto& [name, value] = one.report.beside[i];
    EXPECT_NEAR(all[0].report.beside[i].second / value, 1, 1e-4) << name;
  }
  EXPECT_NEAR(all[0].report.grad_norm / one.report.grad_norm, 1, 1e-4);
}

TEST(Distillation, TensorRanksAreThoseOfBoth) {
  const AuxiliaryConfig config{.distillation = distilled_from(tiny_dit())};
  EdtConfig three = tiny_edt(24);
  three.heads = {6, 6, 6, 6, 6};
  EXPECT_EQ(config.tensor_degrees(ModelConfig(three)), (std::vector<int>{1, 2}));
}

TEST(Distillation, ComparesWhereStagesEnd) {
  const auto after = [](const char* student, const char* teacher) {
    const ModelConfig model = model_preset(student);
    const DistillationConfig config = distilled_from(model_preset(teacher), 0, 1).resolved(model);
    return std::pair(config.after, config.teacher_after);
  };
  using Blocks = std::vector<std::int64_t>;
  EXPECT_EQ(after("EDT-S/2", "EDT-XL/2").first, model_preset("EDT-S/2").stage_ends(4));
  EXPECT_EQ(after("SiT-S/2", "SiT-XL/2"),
            std::pair(Blocks({3, 6, 9, 12}), Blocks({7, 14, 21, 28})));
  const ModelConfig few = tiny_dit();
  const DistillationConfig config = distilled_from(model_preset("SiT-S/2"), 0, 1).resolved(few);
  EXPECT_EQ(config.after, Blocks({1, 2}));
  EXPECT_EQ(config.teacher_after, Blocks({6, 12}));
}

TEST(Distillation, RefusesATeacherThatIsNone) {
  const ModelConfig student = tiny_edt();
  const auto refusal = [&](const DistillationConfig& config, double dual_time = 0) {
    return message_of<UsageError>([&] {
      check_companions({.distillation = config}, student,
                       {.masked = dual_time == 0, .dual_time = dual_time});
    });
  };
  const auto changed = [&](auto change) {
    EdtConfig teacher = tiny_edt();
    change(teacher);
    return distilled_from(teacher);
  };
  EXPECT_EQ(refusal(distilled_from(student)), "");
  EXPECT_EQ(refusal(distilled_from(student, 0, 0)),
            "[distill] distill.from is runs/teacher, and the weights distill.output and "
            "distill.attention are 0");
  EXPECT_EQ(refusal(changed([](EdtConfig& teacher) { teacher.latents.channels = 16; })),
            "[distill] distill.from runs/teacher: its latents are 16 x 16 x 16 of factor 8, those "
            "of tiny EDT are 4 x 16 x 16 of factor 8");
  EXPECT_EQ(refusal(changed([](EdtConfig& teacher) { teacher.classes = 7; })),
            "[distill] distill.from runs/teacher: it has 7 classes, tiny EDT has 4");
  EXPECT_EQ(refusal(changed([](EdtConfig& teacher) { teacher.process = ProcessConfig::flow(); })),
            "[distill] distill.from runs/teacher: it is trained on " +
                text_of(ProcessConfig::flow()) + ", tiny EDT on " + text_of(ProcessConfig{}));
  EXPECT_EQ(refusal(changed([](EdtConfig& teacher) { teacher.patch = 1; })),
            "[distill] distill.output is 1: runs/teacher gives patches of 1, tiny EDT of 2");
  EXPECT_EQ(refusal(distilled_from(student), 0.25),
            "[distill] distill.from is runs/teacher, and train.dual-time is 0.25: the teacher sees "
            "whole pictures at one time");
  DistillationConfig maps = distilled_from(student, 0, 1);
  maps.after = {1, 2};
  EXPECT_EQ(refusal(maps),
            "[distill] distill.after names 2 blocks of tiny EDT, distill.teacher-after 5 of "
            "runs/teacher");
  maps.teacher_after = {1, 3};
  EXPECT_EQ(refusal(maps),
            "[distill] distill.after is 2, where tiny EDT has 8 x 8 tokens, and "
            "distill.teacher-after 3, where runs/teacher has 4 x 4");
  maps.teacher_after = {1, 99};
  EXPECT_EQ(refusal(maps),
            "[model] distill.teacher-after is 99, tiny EDT has 6 blocks: 1 to 6 can be read");
}

}  // namespace
}  // namespace edt
