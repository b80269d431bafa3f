// Recipes with companions, and their steps on the same two samples.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/cpu/cpu_backend.h"
#include "model/recipe/training.h"
#include "model/training/array_batch.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt::test {

// Two samples a step; with the masked pass where the model has one.
inline TrainingRecipe recipe_beside(const ModelConfig& model, AuxiliaryConfig companions) {
  TrainingRecipe recipe{model};
  recipe.engine.micro_batch = recipe.engine.batch = 2;
  recipe.engine.ema_decay = 0.9;
  recipe.engine.objective.masked = model.passes().masked();
  recipe.auxiliary = std::move(companions);
  return recipe;
}

struct Stepped {
  StepReport report;           // of the last one
  std::vector<float> weights;  // of the network, without parts
  std::vector<float> state;    // of the first companion
  std::size_t teacher_bytes = 0;
};

// `before`: completed steps. Arrays beside the latents are normal values times `scale`.
inline Stepped step(const TrainingRecipe& recipe, int steps = 1, std::int64_t before = 0,
                    TensorGroup tensor_ranks = {}, float scale = 1) {
  const auto backend = make_cpu_backend();
  const auto ranks = make_self_communicator();
  Training training(recipe, *backend, *ranks, tensor_ranks);
  TrainingEngine& engine = training.engine();
  engine.initialize();
  training.begin();
  engine.restored(before, 0);
  std::vector<float> latents(static_cast<std::size_t>(2 * recipe.model.latents().elements()));
  random::fill_normal({.seed = 3}, latents);
  ArrayBatch arrays(engine.arrays(), 2);
  const std::vector<ArrayRequest> requests = engine.arrays();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].name == kTextLengthArray) continue;  // as long as any may be
    std::vector<float>& values = arrays.values()[i];
    random::fill_normal({.seed = 5}, values);
    for (float& value : values) value *= scale;
  }
  Stepped stepped;
  for (int i = 0; i < steps; ++i) {
    engine.begin_step();
    engine.run_micro_batch(0, latents, std::vector<std::int32_t>{0, 1}, arrays.spans());
    stepped.report = engine.finish_step();
  }
  const std::span<float> master = engine.state().master();
  for (std::size_t i = 0; i < engine.layout().tensors().size(); ++i) {
    if (!training.model().parameters().part(i).name.empty()) continue;
    const FlatTensor& tensor = engine.layout().tensor(i);
    stepped.weights.insert(stepped.weights.end(), master.begin() + tensor.offset,
                           master.begin() + tensor.end());
  }
  if (!engine.companions().empty()) stepped.state = engine.companions().front()->state();
  for (const MemoryUse& use : engine.memory()) {
    if (use.category == "teacher") stepped.teacher_bytes += use.bytes;
  }
  return stepped;
}

// Named in the report of a step, of the denoising loss or beside it.
inline double term(const StepReport& report, const std::string& name) {
  for (const auto* terms : {&report.terms, &report.beside}) {
    for (const auto& [term, value] : *terms) {
      if (term == name) return value;
    }
  }
  ADD_FAILURE() << name << " is not reported";
  return 0;
}

// A companion whose weight is 0 from step 5 on adds zeros to gradients from there: the network goes
// the way that it goes alone, bit by bit, and another one before.
inline void expect_to_end_at_5(const TrainingRecipe& with) {
  TrainingRecipe without = with;
  without.auxiliary = {};
  const Stepped alone = step(without, 2, 5), ended = step(with, 2, 5);
  EXPECT_EQ(ended.weights, alone.weights) << with.model.name();
  EXPECT_EQ(ended.report.loss, alone.report.loss) << with.model.name();
  EXPECT_NE(step(with, 2, 4).weights, step(without, 2, 4).weights) << with.model.name();
  EXPECT_EQ(step(with, 1, 4).report.loss, step(without, 1, 4).report.loss) << with.model.name();
}

// What recomputes its activations reads the same tokens, and one draw of noise for both passes is
// none that a companion cannot follow.
inline void expect_the_same_with_recomputation(TrainingRecipe recipe) {
  const Stepped plain = step(recipe, 2);
  recipe.engine.recompute = Recompute::kFull;
  EXPECT_EQ(step(recipe, 2).weights, plain.weights);
  recipe.engine.recompute = Recompute::kNone;
  recipe.engine.objective.shared_noise = true;
  EXPECT_TRUE(std::isfinite(step(recipe, 2).report.loss));
}

}  // namespace edt::test
