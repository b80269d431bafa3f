// Everything a training run can be told: a section for each file beside this one, the model's
// (model/families/model_options.h) and those of what trains beside it
// (model/auxiliary/align_options.h).
#pragma once

#include "launcher/recipe/data_options.h"
#include "launcher/recipe/distill_options.h"
#include "launcher/recipe/dynamic_options.h"
#include "launcher/recipe/optimizer_options.h"
#include "launcher/recipe/parallel_options.h"
#include "launcher/recipe/prune_options.h"
#include "launcher/recipe/run_options.h"
#include "launcher/recipe/train_options.h"
#include "model/auxiliary/align_options.h"
#include "model/families/model_options.h"

namespace edt {

struct TrainConfig {
  ModelOptions model;
  DynamicOptions dynamic;
  DataOptions data;
  TrainOptions train;
  AlignOptions align;
  DistillOptions distill;
  PruneOptions prune;
  OptimizerOptions optimizer;
  ParallelOptions parallel;
  RunOptions run;

  // What trains beside this model. Opens the checkpoint of a teacher.
  AuxiliaryConfig auxiliary(const ModelConfig& model) const;
  void declare(OptionSet& options);
  // Checks across sections; throws UsageError.
  void validate() const;
  // Whether the recipe is one for this model; throws UsageError.
  void check_recipe(const ModelConfig& model) const;
};

}  // namespace edt
