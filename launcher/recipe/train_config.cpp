#include "launcher/recipe/train_config.h"

#include "core/record/record.h"
#include "launcher/recipe/engine_config.h"
#include "launcher/trace/step_trace.h"

namespace edt {
namespace {

void check_micro_batch(const TrainOptions& train) {
  require<UsageError>(train.batch % train.micro_batch == 0, "options",
                      "train.batch {} is not a multiple of train.micro-batch {}", train.batch,
                      train.micro_batch);
}

// A checkpoint that nobody has judged is none of the best.
void check_best(const RunOptions& run) {
  if (run.keep_best_by == BestBy::kLoss) return;
  const bool held_out = run.keep_best_by == BestBy::kHeldOut;
  const std::int64_t every = held_out ? run.holdout_every : run.evaluate_every;
  require<UsageError>(every > 0 && run.checkpoint_every % every == 0, "options",
                      "run.keep-best-by is {}: run.checkpoint-every {} has to be a multiple of "
                      "run.{}-every, which is {}",
                      held_out ? "held-out-loss" : "evaluation", run.checkpoint_every,
                      held_out ? "holdout" : "evaluate", every);
}

// What is recorded takes its time, and reads the marks that a profile is made of.
void check_records(const RunOptions& run) {
  if (!run.record_steps.empty()) parse_recorded_steps(run.record_steps, "run.record-steps");
  require<UsageError>(run.record_values.empty() || !run.record_steps.empty(), "options",
                      "run.record-values is {}, and run.record-steps names no steps",
                      run.record_values);
  require<UsageError>(run.record_steps.empty() || run.profile == Profile::kNone, "options",
                      "run.record-steps is {}, and run.profile is trace: one or the other",
                      run.record_steps);
}

// What makes pictures of samples, or asks the network without a data set at hand.
void check_sequences(const RunOptions& run, const ModelConfig& model) {
  require<UsageError>(run.sample_every == 0 || !model.latents().is_sequence(), "options",
                      "run.sample-every is {}, and {} makes sequences, of which no picture is "
                      "drawn: edt sample writes them",
                      run.sample_every, model.name());
  require<UsageError>(run.evaluate_every == 0 || model.common().frame_channels == 0, "options",
                      "run.evaluate-every is {}, and {} reads a condition of each frame "
                      "(model.frame-channels {}), which evaluations have none of",
                      run.evaluate_every, model.name(), model.common().frame_channels);
}

}  // namespace

void TrainConfig::declare(OptionSet& options) {
  model.declare(options);
  data.declare(options);
  train.declare(options);
  align.declare(options);
  distill.declare(options);
  prune.declare(options);
  model.declare_gates(options);
  dynamic.declare(options);
  optimizer.declare(options);
  parallel.declare(options);
  run.declare(options);
}

void TrainConfig::validate() const {
  if (train.micro_batch != 0) check_micro_batch(train);
  edt::validate(optimizer.rate);
  distill.validate();
  prune.validate();
  dynamic.validate(model.gates.target.has_value());
  (void)train.time_law();
  const std::int64_t every = run.checkpoint_every;
  require<UsageError>(run.keep_every == 0 || (every > 0 && run.keep_every % every == 0), "options",
                      "run.keep-every {} is not a multiple of run.checkpoint-every {}: there would "
                      "be no checkpoint to keep",
                      run.keep_every, every);
  require<UsageError>(run.holdout_every == 0 || data.holdout > 0, "options",
                      "run.holdout-every is {}, and data.holdout, {}, keeps no samples out of "
                      "training",
                      run.holdout_every, data.holdout);
  check_best(run);
  optimizer.check_averages();
  require<UsageError>(run.snapshot_every == 0 || !optimizer.power_averages.empty(), "options",
                      "run.snapshot-every is {}, and optimizer.power-averages names no average",
                      run.snapshot_every);
  const bool sees = !run.evaluate_inception.empty(), compares = !run.evaluate_reference.empty();
  require<UsageError>(sees == compares, "options",
                      "run.{} is {}, and run.{} is not given: Inception's features of samples are "
                      "compared with those of a reference",
                      sees ? "evaluate-inception" : "evaluate-reference",
                      (sees ? run.evaluate_inception : run.evaluate_reference).string(),
                      sees ? "evaluate-reference" : "evaluate-inception");
  parse_traced_steps(run.profile_steps);
  check_records(run);
}

AuxiliaryConfig TrainConfig::auxiliary(const ModelConfig& chosen) const {
  AuxiliaryConfig config = align.resolve();
  config.distillation = distill.resolve();
  config.sparsity = prune.resolve(chosen, optimizer);
  config.flop_target = dynamic.resolve(chosen);
  return config;
}

void TrainConfig::check_recipe(const ModelConfig& chosen) const {
  require<UsageError>(!train.masked || chosen.passes().masked(), "train",
                      "train.masked is on, but {} has no masked pass: turn it off", chosen.name());
  require<UsageError>(!train.shared_noise || chosen.passes().shares_prefix, "train",
                      "train.shared-noise is on, but the passes of {} share nothing: turn it off",
                      chosen.name());
  require<UsageError>(train.dual_time == 0 || chosen.passes().groups, "train",
                      "train.dual-time is {}, and tokens of {} cannot be in groups{}",
                      train.dual_time, chosen.name(),
                      chosen.common().needs_grid().empty()
                          ? ""
                          : ": " + chosen.common().needs_grid() + " needs the whole grid");
  require<UsageError>(!chosen.common().gates.is_on() || train.recompute != Recompute::kFull,
                      "train",
                      "dynamic.target is {}, and train.recompute is full: the loss of the target "
                      "holds what the gates of blocks decide, which blocks that run twice let go",
                      chosen.common().gates.target);
  check_sequences(run, chosen);
  const AuxiliaryConfig companions = auxiliary(chosen);
  require<UsageError>(!companions.needs_teacher() || optimizer.ema_decay > 0, "align",
                      "align.with names {}, and optimizer.ema-decay is {}: the moving average is "
                      "off, the teacher would be the model itself",
                      companions.teacher ? "teacher" : "prototypes", optimizer.ema_decay);
  check_companions(companions, chosen, objective_config(*this));
}

}  // namespace edt
