// Steps of a recipe on the same two samples.
#pragma once

#include <string>
#include <vector>

#include "core/cpu/cpu_backend.h"
#include "model/recipe/training.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt::test {

struct Stepped {
  StepReport report;           // of the last one
  std::vector<float> weights;  // of the network, without parts
  std::vector<float> state;    // of the first companion
  std::size_t teacher_bytes = 0;
};

// `before`: completed steps.
inline Stepped step(const TrainingRecipe& recipe, int steps = 1, std::int64_t before = 0,
                    TensorGroup tensor_ranks = {}) {
  const auto backend = make_cpu_backend();
  const auto ranks = make_self_communicator();
  Training training(recipe, *backend, *ranks, tensor_ranks);
  TrainingEngine& engine = training.engine();
  engine.initialize();
  training.begin();
  engine.restored(before, 0);
  std::vector<float> latents(static_cast<std::size_t>(2 * recipe.model.latents().elements()));
  random::fill_normal({.seed = 3}, latents);
  Stepped stepped;
  for (int i = 0; i < steps; ++i) {
    engine.begin_step();
    engine.run_micro_batch(0, latents, std::vector<std::int32_t>{0, 1});
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

}  // namespace edt::test
