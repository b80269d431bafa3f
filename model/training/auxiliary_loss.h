// What trains beside the denoising loss: heads that are to find something again in tokens on their
// way, comparisons with a teacher. Not built where it is off.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/hooks.h"
#include "model/training/denoising_loss.h"
#include "model/training/draws.h"
#include "model/training/input_buffers.h"
#include "model/training/micro_batch.h"
#include "model/training/teacher.h"

namespace edt {

// A micro-batch on the device. Rows of all passes: those of the full pass come first.
struct StepView {
  std::int64_t batch = 0;  // samples, rows of one pass
  NoisedImages images;
  Tensor t, labels;  // [rows] as the network is told them, labels after dropout
  InputBuffers& inputs;
  const Taps& taps;  // of the network that trains
  Var output = {};   // its tokens [rows, T, patch outputs]; undefined before its pass, or in groups
  // Tokens that see each other: rows are those of the groups, one behind the other. Empty: no
  // groups.
  std::span<const VisibleTokens> groups = {};
  Tensor statistics = {};  // float32, where before() leaves those of its companion
  TextInputs text = {};    // of all rows, where the network reads them
  Tensor frames = {};

  // What another network is to see of the first rows, as many as there are times.
  ModelInputs seen(const Tensor& image, const Tensor& told, const Tensor& classes) const {
    return {image,
            told,
            classes,
            {},
            text.first(told.shape[0]),
            frames.defined() ? frames.slice(0, told.shape[0]) : frames};
  }
};

// The weight of a companion in the course of a run. Weights are among the inputs of a step, so that
// captured graphs stay as they are; what is computed is the same at weight 0.
struct WeightCourse {
  double weight = 1;
  std::int64_t until = 0;       // the step from which on it is 0; 0: never
  std::int64_t decay_from = 0;  // the step from which on it becomes smaller
  std::int64_t decay = 0;       // the steps in which it becomes a tenth; 0: it stays

  // What is left of `weight` in the step after `step` completed ones.
  double factor(std::int64_t step) const;
};

class AuxiliaryLoss {
 public:
  virtual ~AuxiliaryLoss() = default;

  // Its terms have names of their own in metrics.
  virtual const std::vector<LossTerm>& terms() const = 0;
  // What it compares with, where that is the moving average; several may have one.
  virtual Teacher* teacher() { return nullptr; }
  // Blocks whose tokens it reads, as Taps count them.
  virtual std::vector<std::int64_t> taps() const { return {}; }
  // What it wants of each sample beside the latent. MicroBatch::arrays has just these when it fills
  // its inputs.
  virtual std::vector<ArrayRequest> arrays() const { return {}; }

  // Of a network besides that has memory of its own.
  virtual std::size_t weight_bytes() const { return 0; }
  // Before the first step: reads what comes from files. Dry runs go without.
  virtual void begin() {}
  // Once, before the first fill(): for steps of `passes` passes of `batch` samples.
  virtual void add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) = 0;
  // Rows that its means are over: `batch`, or those of all passes, each of which then counts as
  // much as the full one.
  virtual std::int64_t rows() const = 0;
  // On the host: all that differs between steps.
  virtual void fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) = 0;

  // On the device, each time after the inputs are there, and no part of what is captured: what it
  // draws for the samples at `positions`.
  virtual void draw(Backend&, StepKey, const Tensor& /*positions*/) {}
  // Of a network that has gates: told of them by the network's pass. nullptr: of no interest.
  virtual GateRecord* gates() { return nullptr; }

  // Ahead of the network's pass: a teacher's, without gradients.
  virtual void before(Tape&, const StepView&) {}
  // Numbers of each micro-batch that all ranks have to know: before() leaves them in
  // StepView::statistics, and after a step that changes weights learn() is given those of all
  // micro-batches, [micro-batches, statistics()], the same on all ranks.
  virtual std::int64_t statistics() const { return 0; }
  virtual void learn(std::span<const float>) {}
  // What it knows by that, for checkpoints; empty: nothing.
  virtual std::vector<float> state() const { return {}; }
  virtual void restore(std::span<const float>) {}
  // Means of the terms, each [1]; where tokens are in groups, those of one group and then those of
  // the other. `losses` [terms, rows()] receives them row by row, without weights.
  virtual std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) = 0;
  // The gradients are there: lets go of what before() has made.
  virtual void after() {}
};

using Companions = std::span<AuxiliaryLoss* const>;

}  // namespace edt
