#include "launcher/train/trainer.h"

#include <chrono>

#include "core/base/log.h"
#include "core/storage/durable_file.h"
#include "launcher/bench/ceiling_forms.h"
#include "launcher/report.h"
#include "launcher/train/backend.h"
#include "parallel/self/self_communicator.h"

namespace edt {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

EngineConfig engine_config(const TrainConfig& config) {
  return {.dtype = config.run.dtype,
          .batch = config.train.batch,
          .micro_batch = config.train.micro_batch,
          .objective = {.masked = config.train.masked,
                        .shared_noise = config.train.shared_noise,
                        .snr_gamma = config.train.snr_gamma},
          .recompute = config.train.recompute,
          .loss_second_moment = config.train.timesteps == TimestepSampling::kLossSecondMoment,
          .optimizer = config.optimizer.resolve(),
          .rate = config.optimizer.rate,
          .ema_decay = config.optimizer.ema_decay,
          .clip = config.train.clip,
          .seed = config.train.seed};
}

data::DatasetOptions dataset_options(const DataOptions& options) {
  return {.verify_blocks = options.verify, .normalize = options.normalize};
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, const std::string& configuration)
    : config_(config),
      dataset_(config.data.path, dataset_options(config.data)),
      model_config_(config.model.resolve(dataset_.description().classes)),
      backend_(make_backend(config.run.backend, config.run.threads)),
      communicator_(make_self_communicator()),
      model_(model_config_, *backend_, config.run.dtype),
      engine_(model_, *backend_, *communicator_, engine_config(config)),
      directory_(config.run.directory),
      checkpoints_(directory_, config, configuration, model_config_.name, engine_, *communicator_) {
  const auto side = static_cast<int>(model_config_.input_size);
  dataset_.require_fits(static_cast<int>(model_config_.channels), side, side,
                        static_cast<int>(model_config_.classes));
  directory_.open_log();
  resumed_ = config.run.resume && checkpoints_.restore();
  if (!resumed_) {
    checkpoints_.require_none();
    engine_.initialize();
  }
  directory_.write_config(configuration);
}

Trainer::~Trainer() = default;

int Trainer::run(bool silent) {
  const std::int64_t last = config_.train.steps;
  log::info("{}: {} parameters, {} on {}, batch {} in {} micro-batches", model_.name(),
            human_count(static_cast<double>(model_.parameters().elements())),
            name_of(config_.run.dtype), backend_->name(), config_.train.batch,
            engine_.micro_batches());
  log::info("{}: {} samples in {} shards, {} classes", dataset_.path().string(), dataset_.size(),
            dataset_.shards().size(), dataset_.description().classes);
  if (resumed_) log::info("going on after step {}", engine_.step());
  if (engine_.step() >= last) {
    log::info("step {} is reached already; nothing to do", last);
    return kDone;
  }

  ceiling_rate_ = measure_ceiling();
  const StopSignals signals;
  std::unique_ptr<SampleGrid> samples;
  if (config_.run.sample_every > 0) {
    samples = std::make_unique<SampleGrid>(model_config_, config_.run, config_.train.seed,
                                           *backend_, dataset_.description());
  }
  const auto batches = open_batches();
  StepLog log(directory_, engine_.step() + 1, last, config_.run.log_every, config_.run.tensorboard,
              silent ? ProgressStyle::kSilent : progress_style(false));
  while (engine_.step() < last) {
    StepRecord record = take_step(*batches);
    const bool stop = communicator_->any(signals.stop_requested(), "stop flag");
    const bool due =
        config_.run.checkpoint_every > 0 && engine_.step() % config_.run.checkpoint_every == 0;
    if (due || stop || engine_.step() == last) {
      const auto begin = Clock::now();
      log.sync();
      checkpoints_.save();
      record.checkpoint_seconds = seconds_since(begin);
      record.step_seconds += record.checkpoint_seconds;
    }
    log.write(record);
    check_finite(record.report);
    checkpoints_.report();
    if (samples && engine_.step() % config_.run.sample_every == 0) draw_samples(log, *samples);
    if (stop && engine_.step() < last) {
      checkpoints_.finish();
      log::warning("{} after step {}: saved, stopping", signals.signal_name(), engine_.step());
      return kStopped;
    }
  }
  checkpoints_.finish();
  log::info("done after {} steps; checkpoints are in {}", last, directory_.checkpoints().string());
  return kDone;
}

std::unique_ptr<data::Prefetcher> Trainer::open_batches() const {
  const auto micro_batches = static_cast<std::uint64_t>(engine_.micro_batches());
  const auto size = static_cast<std::uint64_t>(config_.train.micro_batch);
  data::OrderOptions order;
  order.seed = config_.train.seed;
  order.mode = config_.data.order == SampleOrder::kGlobal ? data::OrderMode::kGlobal
                                                          : data::OrderMode::kShardLocal;
  order.window = static_cast<std::uint64_t>(config_.data.window);
  order.flips = config_.data.flip;
  // One rank computes all micro-batches, so batch n of the reader covers positions n * size ...
  const auto plan = [size](std::uint64_t number, std::span<std::uint64_t> positions) {
    for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = number * size + i;
  };
  return std::make_unique<data::Prefetcher>(
      dataset_, dataset_.make_order(order), size, plan,
      static_cast<std::uint64_t>(engine_.step()) * micro_batches,
      static_cast<std::size_t>(config_.data.prefetch));
}

StepRecord Trainer::take_step(data::Prefetcher& batches) {
  const auto begin = Clock::now();
  const double waited = batches.seconds_waited();
  engine_.begin_step();
  for (std::int64_t i = 0; i < engine_.micro_batches(); ++i) {
    const data::Batch& batch = batches.next();
    engine_.run_micro_batch(i, batch.latents, batch.labels);
  }
  StepRecord record;
  record.report = engine_.finish_step();
  record.images = config_.train.batch;
  record.samples_seen = engine_.samples_seen();
  record.epoch = static_cast<double>(record.samples_seen) / static_cast<double>(dataset_.size());
  record.data_seconds = batches.seconds_waited() - waited;
  record.flops = engine_.profiler().total_flops();
  record.ceiling_rate = ceiling_rate_;
  record.step_seconds = seconds_since(begin);
  return record;
}

void Trainer::check_finite(const StepReport& report) const {
  if (report.non_finite.empty()) return;
  if (config_.train.on_non_finite == OnNonFinite::kSkip) {
    log::warning("step {}: {} is not finite; the update was skipped", report.step,
                 report.non_finite);
    return;
  }
  fail<NumericError>("train", "step {}: {} is not finite; weights are those of step {}",
                     report.step, report.non_finite, report.step - 1);
}

void Trainer::draw_samples(StepLog& log, SampleGrid& samples) {
  const std::filesystem::path path = directory_.sample_grid(engine_.step());
  write_png(path, samples.draw(engine_.layout(), engine_.buffers().ema()));
  log.image(engine_.step(), read_text(path));
}

// The matrix products of one micro-batch, run once to warm up and once for the rate.
double Trainer::measure_ceiling() const {
  if (config_.run.backend != BackendKind::kCpu) return 0;
  MatmulCeiling ceiling(training_forms(model_.forward_matmuls(config_.train.micro_batch), 1),
                        config_.run.dtype);
  ceiling.run();
  return ceiling.flops() / ceiling.run();
}

}  // namespace edt
