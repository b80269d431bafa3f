#include "launcher/recipe/train_config.h"

#include <bit>

#include "launcher/trace/step_trace.h"

namespace edt {
namespace {

void check_micro_batch(const TrainOptions& train) {
  require<UsageError>(train.batch % train.micro_batch == 0, "options",
                      "train.batch {} is not a multiple of train.micro-batch {}", train.batch,
                      train.micro_batch);
  const auto count = static_cast<std::uint64_t>(train.batch / train.micro_batch);
  require<UsageError>(std::has_single_bit(count), "options",
                      "train.batch {} / train.micro-batch {} gives {} micro-batches, a power of "
                      "two is needed",
                      train.batch, train.micro_batch, count);
}

}  // namespace

void TrainConfig::declare(OptionSet& options) {
  model.declare(options);
  data.declare(options);
  train.declare(options);
  optimizer.declare(options);
  parallel.declare(options);
  run.declare(options);
}

void TrainConfig::validate() const {
  if (train.micro_batch != 0) check_micro_batch(train);
  edt::validate(optimizer.rate);
  (void)train.time_law();
  const std::int64_t every = run.checkpoint_every;
  require<UsageError>(run.keep_every == 0 || (every > 0 && run.keep_every % every == 0), "options",
                      "run.keep-every {} is not a multiple of run.checkpoint-every {}: there would "
                      "be no checkpoint to keep",
                      run.keep_every, every);
  parse_traced_steps(run.profile_steps);
}

void TrainConfig::check_recipe(const ModelConfig& chosen) const {
  require<UsageError>(!train.masked || chosen.passes().masked(), "train",
                      "train.masked is on, but {} has no masked pass: turn it off", chosen.name());
  require<UsageError>(!train.shared_noise || chosen.passes().shares_prefix, "train",
                      "train.shared-noise is on, but the passes of {} share nothing: turn it off",
                      chosen.name());
}

}  // namespace edt
