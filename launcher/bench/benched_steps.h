// Whole steps of a model on synthetic inputs: what benchmarks time, and what algorithms are chosen
// for.
#pragma once

#include <memory>

#include "launcher/bench/sampler_inputs.h"
#include "launcher/bench/step_bench.h"
#include "launcher/bench/step_rounds.h"
#include "launcher/bench/synthetic_batch.h"
#include "model/recipe/training.h"
#include "model/training/array_batch.h"
#include "model/weights.h"

namespace edt {

class TrainingSteps {
 public:
  // All ranks of the mesh, which outlives it, make one, and call run() together. UsageError where
  // the memory is not enough and the options ask for that check.
  TrainingSteps(const StepBenchOptions& options, Backend& backend, const Mesh& mesh);

  // One step, done when it returns.
  StepSeconds run();

  std::int64_t images() const { return recipe_.engine.batch; }  // of a step on all ranks
  TrainingEngine& engine() { return training_.engine(); }

 private:
  Backend& backend_;
  std::unique_ptr<Communicator> activations_;
  TrainingRecipe recipe_;
  Training training_;
  SyntheticBatch batch_;
  ArrayBatch arrays_;
};

// Of a guided sampler: a forward pass of twice the pictures.
class SamplerSteps {
 public:
  // Each rank of `world` has its own. UsageError where the memory is not enough and the options ask
  // for that check.
  SamplerSteps(const StepBenchOptions& options, Backend& backend, Communicator& world);

  void run() {
    profiler_.reset();
    inputs_.run(*model_, tape_);
  }

  Profiler& profiler() { return profiler_; }
  std::vector<MemoryUse> memory() const;

 private:
  std::unique_ptr<Model> model_;
  FlatLayout layout_;
  Block weights_;
  std::unique_ptr<BoundWeights> bound_;
  std::vector<WeightHold> forms_;  // packed, or in integers
  Profiler profiler_;
  Arena arena_;
  Tape tape_;
  SamplerInputs inputs_;
  Tape::NoGrad inference_;
};

}  // namespace edt
