// The stored traces of whole steps: a change that costs a model one kernel or one byte, or changes
// their order, fails here. Where that is meant, EDT_WRITE_TRACES=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "model/families/presets.h"
#include "tests/model/plan/trace_text.h"

namespace edt {
namespace {

struct Traced {
  std::string file;
  PlannedStep step;
};

PlannedStep step_of(const char* preset, bool masked = true) {
  PlannedStep step{{model_preset(preset)}};
  step.engine.micro_batch = 2;
  step.engine.batch = 4;
  step.engine.objective.masked = masked;
  return step;
}

std::vector<Traced> traced() {
  Traced spread{"EDT-S_bf16_data2_tensor2_zero3", step_of("EDT-S/2")};
  spread.step.data_ranks = spread.step.tensor_ranks = 2;
  spread.step.engine.batch = 8;
  spread.step.engine.dtype = DType::kBFloat16;
  spread.step.engine.recompute = Recompute::kSelective;
  spread.step.engine.zero.stage = ZeroStage::kWeights;
  Traced shared{"EDT-S_shared_noise_data2_zero2", step_of("EDT-S/2")};
  shared.step.data_ranks = 2;
  shared.step.engine.objective.shared_noise = true;
  shared.step.engine.zero.stage = ZeroStage::kGradients;
  Traced flow{"EDT-S_flow", step_of("EDT-S/2")};
  flow.step.model.common().process = ProcessConfig::flow();
  flow.step.engine.objective.loss.direction_weight = 1;
  Traced aligned{"EDT-S_latent", step_of("EDT-S/2")};
  aligned.step.auxiliary.latent = LatentAlignmentConfig{};
  Traced features{"EDT-S_features", step_of("EDT-S/2")};
  features.step.auxiliary.features = FeatureAlignmentConfig{.arrays = {{"dinov2-b", 768}}};
  Traced teacher{"EDT-S_teacher_data2_zero2", step_of("EDT-S/2")};
  teacher.step.auxiliary.teacher = TeacherAlignmentConfig{};
  teacher.step.data_ranks = 2;
  teacher.step.engine.zero.stage = ZeroStage::kGradients;
  Traced distilled{"EDT-S_distilled", step_of("EDT-S/2")};
  distilled.step.auxiliary.distillation = DistillationConfig{
      .teacher = std::make_shared<const ModelConfig>(model_preset("EDT-B/2")), .attention = 10};
  Traced pruned{"EDT-S_pruned", step_of("EDT-S/2")};
  pruned.step.auxiliary.sparsity = SparsityConfig{.rules = {.target = 0.6}, .macs = 2.7e9};
  Traced gated{"EDT-S_gated", step_of("EDT-S/2", false)};
  gated.step.model.common().gates.target = 0.5;
  gated.step.auxiliary.flop_target = FlopTargetConfig{.target = 0.5};
  gated.step.engine.objective.complete_steps = 30000;
  Traced ternary{"EDT-S_ternary", step_of("EDT-S/2")};
  ternary.step.model.common().weights = {WeightForm::kTernary, true};
  Traced affine{"EDT-S_affine", step_of("EDT-S/2")};
  affine.step.model.common().modulation = ModulationForm::kAffine;
  Traced text{"EDT-S_text", step_of("EDT-S/2")};
  text.step.model.common().text = {.form = TextForm::kCross, .tokens = 77, .channels = 768};
  Traced linear{"EDT-S_linear_tensor2", step_of("EDT-S/2")};
  linear.step.model.common().attention.stages.assign(5, AttentionForm::kLinear);
  linear.step.model.as<EdtConfig>()->amm_blocks.clear();  // as without weights to multiply
  linear.step.tensor_ranks = 2;
  Traced spatial{"EDT-S_spatial", step_of("EDT-S/2")};
  spatial.step.model.common().spatial.form = SpatialForm::kReal;
  return {{"EDT-S", step_of("EDT-S/2")},
          {"EDT-XL", step_of("EDT-XL/2")},
          {"MDTv2-S", step_of("MDTv2-S/2")},
          {"DiT-S", step_of("DiT-S/2", false)},
          {"SiT-S", step_of("SiT-S/2", false)},
          {"LightningDiT-S", step_of("LightningDiT-S/1", false)},
          {"E-MMDiT-S", step_of("E-MMDiT-S", false)},
          std::move(flow),
          std::move(aligned),
          std::move(features),
          std::move(teacher),
          std::move(distilled),
          std::move(pruned),
          std::move(gated),
          std::move(ternary),
          std::move(affine),
          std::move(text),
          std::move(linear),
          std::move(spatial),
          std::move(spread),
          std::move(shared)};
}

class StoredTrace : public testing::TestWithParam<Traced> {};

TEST_P(StoredTrace, IsThatOfTheStep) {
  const std::string path = std::string(EDT_TRACE_DIR) + "/" + GetParam().file + ".txt";
  const std::string text = test::trace_text(GetParam().step);
  if (std::getenv("EDT_WRITE_TRACES") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " cannot be read";
  std::istringstream now(text);
  std::string stored, line;
  for (int number = 1; std::getline(file, stored); ++number) {
    ASSERT_TRUE(std::getline(now, line)) << path << ":" << number << ": nothing now";
    ASSERT_EQ(line, stored) << path << ":" << number;
  }
  EXPECT_FALSE(std::getline(now, line)) << path << " ends before " << line;
}

INSTANTIATE_TEST_SUITE_P(Steps, StoredTrace, testing::ValuesIn(traced()), [](const auto& traced) {
  std::string name = traced.param.file;
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
});

}  // namespace
}  // namespace edt
