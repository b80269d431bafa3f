// What can train beside the denoising loss, as values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ops/token_loss.h"
#include "core/ops/unit_mask_form.h"
#include "model/families/model_config.h"
#include "model/pruning/decisions.h"
#include "model/training/auxiliary_loss.h"
#include "model/training/objective.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

// Which passes of a step a companion reads.
enum class CompanionPass { kFull, kBoth };

struct LatentAlignmentConfig {
  std::int64_t after = 0;  // the block whose tokens are read; 0: an early one
  std::int64_t layers = 5;
  double hidden = 2;  // width of the layers between, in widths of a token
  Distance distance = Distance::kSmoothL1;
  double beta = 0.05;
  CompanionPass pass = CompanionPass::kFull;
  WeightCourse course;

  // The same with the block that 0 stands for: 2 of few blocks and 8 of many, as published, and the
  // last of an EDT's second stage, whose tokens are 4 x 4 latents each.
  LatentAlignmentConfig resolved(const ModelConfig& model) const;
};

struct TeacherAlignmentConfig {
  std::int64_t after = 0, teacher_after = 0;  // blocks whose tokens are compared; 0: chosen
  double interval = 0.2;  // by which the teacher's time is at most nearer to data
  Distance distance = Distance::kSmoothL1;
  double beta = 0.05;
  WeightCourse course{.weight = 0.2};

  // The same with the blocks that 0 stands for: at 2/7 and 5/7 of the depth, as published (8 and 20
  // of 28, 3 and 8 of 12); of an EDT the last of its second stage and the last with as many tokens.
  TeacherAlignmentConfig resolved(const ModelConfig& model) const;
};

struct PrototypeAlignmentConfig {
  std::int64_t after = 0;  // the block whose tokens choose, of both networks; 0: chosen
  std::int64_t prototypes = 1024;
  std::int64_t width = 256;  // of a prototype
  double time = 0;           // of what the teacher sees
  double student_temperature = 0.1, teacher_temperature = 0.04;
  double centre_momentum = 0.9;
  WeightCourse course{.weight = 0.1};

  // The same with the block that 0 stands for: the last of an EDT's second stage, else the middle.
  PrototypeAlignmentConfig resolved(const ModelConfig& model) const;
};

// An array of the data set and the numbers of each of its tokens.
struct FeatureArray {
  std::string name;
  std::int64_t dims = 0;
};

struct FeatureAlignmentConfig {
  std::vector<FeatureArray> arrays;
  std::int64_t after = 0;         // the block whose tokens are read; 0: an early one
  std::int64_t projector = 2048;  // hidden units of each array's network
  CompanionPass pass = CompanionPass::kFull;
  WeightCourse course{.weight = 0.5};

  // The same with the block that 0 stands for: 4 of few blocks and 8 of many, as published, and the
  // last of an EDT's second stage.
  FeatureAlignmentConfig resolved(const ModelConfig& model) const;
  // UsageError naming option and value: no arrays, one twice, one of which nobody said its numbers.
  void validate() const;
  // What a sample has to bring: a token for each of the block's.
  std::vector<ArrayRequest> requests(const ModelConfig& model) const;
};

struct DistillationConfig {
  std::string run;  // the teacher's, as messages name it
  std::shared_ptr<const ModelConfig> teacher;
  double output = 1;     // weight of the mean square between what both networks give; 0: none
  double attention = 0;  // weight of the mean square between attention maps; 0: none
  // Blocks of the network and of the teacher whose maps are compared; empty: the ends of stages,
  // or of quarters of equal blocks.
  std::vector<std::int64_t> after, teacher_after;
  WeightCourse course;  // of both weights: 1 at the beginning
  // Fills the weights of the teacher in its layout, or this tensor rank's share of them.
  std::function<void(const Model& teacher, const FlatLayout&, std::span<float>)> read;

  // The same with the blocks that stand for none.
  DistillationConfig resolved(const ModelConfig& model) const;
};

// Pruning: which heads and hidden units the network can do without (DMAD).
struct SparsityConfig {
  PruningRules rules;
  bool heads = true, hidden = true;
  SparsityForm form = SparsityForm::kRelu;
  double weight = 1;            // of the loss
  std::int64_t decided_by = 1;  // the step at which the bound is down
  double macs = 0;              // of a forward pass of one picture

  // Weights begin just below the bound: factors are 0.995.
  MaskConfig masks() const { return {heads, hidden, 0.9 * rules.first_bound}; }
};

// Gates: what they are to leave open (DyDiT).
struct FlopTargetConfig {
  double target = 1;           // share of the blocks' products
  double weight = 2;           // of the loss
  double tau = 5;              // temperature of the gates' slopes
  std::int64_t warmup = 1000;  // steps until the share asked for is the target
};

struct AuxiliaryConfig {
  std::optional<LatentAlignmentConfig> latent;
  std::optional<FeatureAlignmentConfig> features;
  std::optional<TeacherAlignmentConfig> teacher;
  std::optional<PrototypeAlignmentConfig> prototypes;
  std::optional<DistillationConfig> distillation;
  std::optional<SparsityConfig> sparsity;
  std::optional<FlopTargetConfig> flop_target;

  bool empty() const {
    return !latent && !features && !teacher && !prototypes && !distillation && !sparsity &&
           !flop_target;
  }
  // Whether one of them compares with the moving average.
  bool needs_teacher() const { return teacher.has_value() || prototypes.has_value(); }
  // What a sample has to bring beside its latent, in the order of the companions.
  std::vector<ArrayRequest> arrays(const ModelConfig& model) const;
  // Numbers of tensor ranks that the model can be cut into, and a network that it learns of.
  std::vector<int> tensor_degrees(const ModelConfig& model) const;
};

// Whether these companions are some for steps of this model; UsageError names option and both
// values.
void check_companions(const AuxiliaryConfig& config, const ModelConfig& model,
                      const ObjectiveConfig& objective);

}  // namespace edt
