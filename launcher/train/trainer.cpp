#include "launcher/train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/odd_part.h"
#include "launcher/evaluate/quality_report.h"
#include "launcher/recipe/engine_config.h"
#include "launcher/text/report.h"
#include "launcher/train/batch_plan.h"
#include "launcher/train/rank_times.h"
#include "launcher/train/start.h"
#include "model/plan/gemms.h"
#include "parallel/comm/device/device_communicator.h"
#include "parallel/sharding/sum_tree.h"

namespace edt {
namespace {

// With what the trainer wants to know of each step, and has to say about it.
TrainingRecipe watched(TrainingRecipe recipe, FlightRecorder& recorder, Watchdog* watchdog,
                       const SpikeDetector& detector, OnSpike on_spike, RunRecording* recording) {
  recipe.engine.on_phase = [&recorder, watchdog, recording](std::string_view phase) {
    recorder.phase(phase);
    if (watchdog != nullptr && phase == "backward") watchdog->forward_done();
    if (recording != nullptr) recording->phase(phase);
  };
  if (recording != nullptr) recipe.engine.graphs = false;  // a replay calls no kernel
  if (on_spike == OnSpike::kLog) return recipe;
  recipe.engine.judge = [&detector](const StepReport& report) {
    return detector.judge(report.loss, report.grad_norm);
  };
  return recipe;
}

// What all ranks find one of them says; the others have it in their log files.
template <class... Args>
void warn_once(const Communicator& ranks, fmt::format_string<Args...> format, Args&&... args) {
  log::write(ranks.is_root() ? log::Level::kWarning : log::Level::kInfo,
             fmt::format(format, std::forward<Args>(args)...));
}

// How many shards have not their names any more: somebody removed or renamed them.
std::int64_t shards_gone(const data::Dataset& dataset) {
  return std::ranges::count_if(dataset.shards(), [](const auto& shard) {
    std::error_code unknown;
    return !std::filesystem::exists(shard->path(), unknown) && !unknown;
  });
}

// On the first rank, which writes manifests.
std::map<std::string, double> judged_by(const StepRecord& record) {
  std::map<std::string, double> figures;
  if (record.held_out) figures["held_out_loss"] = record.held_out->held_out;
  // Of all figures the distance: lower is better.
  if (record.quality) figures.insert(figures_of(*record.quality).front());
  std::erase_if(figures, [](const auto& figure) { return !std::isfinite(figure.second); });
  return figures;
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, const std::string& configuration, Communicator& world)
    : config_(config),
      dataset_(config.data.path, dataset_options(config)),
      holdout_(held_out_of(config, dataset_)),
      model_config_(config.model.resolve(dataset_.description().classes)),
      recorder_(std::make_shared<FlightRecorder>()),
      watchdog_(make_watchdog(config.run, world, recorder_)),
      mesh_(checked_mesh(config, model_config_, dataset_, configuration, world)),
      backend_(checked_backend(config, model_config_, mesh_)),
      recording_(make_recording(configuration)),
      decoder_(grid_decoder(config, model_config_, dataset_, *backend_, world)),
      judge_(make_judge(config_, model_config_, dataset_, *backend_, decoder_, mesh_)),
      activations_(make_activations()),
      detector_(config.train.spike_threshold, config.train.spike_window),
      training_(watched(training_recipe(config, model_config_), *recorder_, watchdog_.get(),
                        detector_, config.train.on_spike, recording_.get()),
                recording_ ? recording_->backend() : *backend_,
                recording_ ? recording_->data_ranks() : mesh_.data(), tensor_ranks()),
      engine_(training_.engine()),
      directory_(config.run.directory, world),
      checkpoints_(directory_, config,
                   {configuration, shared_data_identity(config, dataset_, world),
                    LatentSpace::of(dataset_.description(), config.data.normalize).to_text()},
                   training_.model(), engine_, mesh_),
      grid_budget_(config.run.sample_share),
      judge_budget_(config.run.evaluate_share) {
  try {
    start(configuration);
  } catch (...) {  // a run that never began leaves nothing
    directory_.take_back();
    throw;
  }
}

void Trainer::start(const std::string& configuration) {
  directory_.open_log();
  resumed_ = config_.run.resume && checkpoints_.restore();
  if (!resumed_) {
    if (!config_.run.resume) checkpoints_.begin_without();
    checkpoints_.begin();
  }
  checkpoints_.require_space(!resumed_);
  if (model_config_.common().text.is_on()) engine_.set_null_text(dataset_.null_text());
  training_.begin();
  if (recording_) recording_->begin(training_);
  if (config_.run.profile == Profile::kTrace) {
    trace_ = std::make_unique<StepTrace>(parse_traced_steps(config_.run.profile_steps),
                                         directory_.path() / "trace.json", world(),
                                         [token = directory_.token()] { token.check(); });
  }
  if (world().is_root()) directory_.begin(configuration);
}

Trainer::~Trainer() = default;

std::unique_ptr<RunRecording> Trainer::make_recording(const std::string& configuration) {
  if (config_.run.record_steps.empty()) return nullptr;
  const RunIdentity identity{configuration, shared_data_identity(config_, dataset_, world())};
  return std::make_unique<RunRecording>(config_.run, identity, *backend_, mesh_);
}

std::unique_ptr<Communicator> Trainer::make_activations() {
  auto ranks = communicator_for(*backend_, mesh_.tensor(), "activations");
  return recording_ ? recording_->activations(std::move(ranks)) : std::move(ranks);
}

int Trainer::run(bool silent, const StopSignals& signals) {
  try {
    return train(silent, signals);
  } catch (const ReplacedError&) {
    throw;  // the outcome is another's
  } catch (const SystemError& error) {
    note_failure(kBrokenOff, error.what());
    throw;
  } catch (const CommunicationError& error) {
    note_failure(kBrokenOff, error.what());
    throw;
  } catch (const std::exception& error) {
    note_failure(kFailed, error.what());
    throw;
  }
}

// Where even that cannot be written, the reason itself is what counts.
void Trainer::note_failure(int status, std::string_view what) const {
  if (!world().is_root()) return;
  try {
    directory_.write_outcome(status, engine_.step(), what);
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
}

int Trainer::train(bool silent, const StopSignals& signals) {
  const std::int64_t last = config_.train.steps;
  const ParameterList& parameters = training_.model().parameters();
  log::info("{}: {} parameters, {} on {}, batch {} in {}", training_.model().name(),
            human_count(static_cast<double>(parameters.elements_of(""))),
            name_of(config_.run.dtype), backend_->name(), config_.train.batch,
            counted(static_cast<std::uint64_t>(engine_.micro_batches()), "micro-batch"));
  for (const PartKind& part : kPartKinds) {
    const std::int64_t elements = parameters.elements_of(part.name);
    if (part.name.empty() || elements == 0) continue;
    log::info("{}: {} {} parameters", part.name,
              part.use == PartUse::kTraining ? "trains beside," : "of the network,",
              human_count(static_cast<double>(elements)));
  }
  if (world().size() > 1) {
    const bool overlaps =
        config_.parallel.overlap && (backend_->in_host_memory() || mesh_.tensor().size() == 1);
    log::info("{} ranks: {}, {}, overlap {}", world().size(), mesh_.text(),
              text_of(config_.parallel.resolve()), overlaps ? "on" : "off");
  }
  tell_turns();
  log::info("{}: {} samples in {}, {} classes", dataset_.path().string(), dataset_.size(),
            counted(dataset_.shards().size(), "shard"), dataset_.description().classes);
  if (!holdout_.empty()) {
    log::info("{} of them are held out{}", holdout_.held().size(),
              config_.run.holdout_every > 0
                  ? fmt::format(": their loss is taken every {} steps", config_.run.holdout_every)
                  : std::string("; run.holdout-every takes their loss"));
  }
  const std::string slow = dataset_.slow_layout();
  if (!slow.empty() && world().is_root()) log::warning("{}", slow);
  if (const std::string other = other_pixels(dataset_, model_config_.latents()); !other.empty())
    warn_once(world(), "{}", other);
  if (resumed_) log::info("going on after step {}", engine_.step());
  if (engine_.step() >= last) {
    log::info("step {} is reached already; nothing to do", last);
    if (world().is_root()) directory_.write_outcome(kDone, engine_.step(), "done");
    return kDone;
  }
  const RunRequests requests(directory_, world(), signals);
  const Request early = requests.agree();
  if (early >= Request::kStop) return end(early, requests);  // nothing to save yet

  ceiling_ = std::make_unique<CeilingGauge>(
      *backend_,
      training_gemms({training_recipe(config_, model_config_), 1, config_.parallel.tensor}),
      config_.run.dtype, world());
  std::unique_ptr<SampleGrid> samples;
  if (config_.run.sample_every > 0 || judge_) {
    average_ = std::make_unique<AverageSampler>(model_config_, *backend_, tensor_ranks());
  }
  if (config_.run.sample_every > 0) {
    samples = std::make_unique<SampleGrid>(model_config_, config_.run, config_.train.seed,
                                           *average_, decoder_, mesh_, dataset_);
  }
  if (config_.run.holdout_every > 0) {
    held_out_.emplace(dataset_, holdout_, config_.train.seed, config_.run.holdout_samples,
                      training_.model().process(), training_.model().arrays().size());
  }
  began_ = Clock::now();
  const Request request = step_until_told(requests, samples.get(), silent);
  if (trace_) trace_->finish();
  checkpoints_.finish();
  return end(request, requests);
}

// Whole gradients travel as often as there are turns; parts travel with every micro-batch anyway.
void Trainer::tell_turns() const {
  const int data_ranks = mesh_.data().size();
  const int turns = SumShare::of(engine_.micro_batches(), data_ranks).turns;
  if (data_ranks == 1 || turns == 1 || config_.parallel.zero >= ZeroStage::kGradients) return;
  log::info(
      "gradients are reduced {} times in a step, as {} micro-batches over {} data ranks are; {} x "
      "2^g of them would be reduced once",
      turns, engine_.micro_batches(), data_ranks, OddPart::of(data_ranks).odd);
}

std::unique_ptr<StepLog> Trainer::open_step_log() const {
  if (!world().is_root()) return nullptr;
  return std::make_unique<StepLog>(directory_, engine_.step() + 1, config_.train.steps, config_.run,
                                   silent_ ? ProgressStyle::kSilent : progress_style(false));
}

Request Trainer::step_until_told(const RunRequests& requests, SampleGrid* samples, bool silent) {
  const std::int64_t last = config_.train.steps, every = config_.run.checkpoint_every;
  silent_ = silent;
  auto batches = open_batches();
  auto log = open_step_log();
  detector_.resume(directory_.metrics(), engine_.step() + 1, world());
  RankTimes times(world());
  // Seconds of the last checkpoint, of taking the ceiling and of a grid: they count for the step
  // after it.
  double saving = 0, measuring = 0, drawing = 0;
  std::string rolled_back, changed = resumed_ ? checkpoints_.changes() : "";
  while (engine_.step() < last) {
    if (trace_) trace_->step_begins(engine_.step() + 1);
    StepRecord record = take_step(*batches);
    record.checkpoint_seconds = std::exchange(saving, 0);
    record.ceiling_seconds = std::exchange(measuring, 0);
    record.sample_seconds = std::exchange(drawing, 0);
    record.step_seconds +=
        record.checkpoint_seconds + record.ceiling_seconds + record.sample_seconds;
    if (const std::string why = reason_to_roll_back(record.report); !why.empty()) {
      log.reset();
      roll_back(why);
      batches = open_batches();
      log = open_step_log();
      detector_.resume(directory_.metrics(), engine_.step() + 1, world());
      rolled_back = why;
      continue;
    }
    record.rolled_back = std::exchange(rolled_back, {});
    record.changed = std::exchange(changed, {});
    record.saved = checkpoints_.take_saved();
    look_for_spikes(record);
    judge(record);
    checkpoints_.took(record.report, judged_by(record));
    times.add(record);
    if (world().size() > 1 && config_.run.straggler_every > 0 &&
        engine_.step() % config_.run.straggler_every == 0) {
      times.report_stragglers();
    }
    phase("metrics");
    if (world().is_root()) directory_.require_kept(engine_.step());
    // Before a checkpoint of this step can be complete: a resume finds no step missing.
    if (log) log->write(record);
    check_finite(record.report);
    if (record.ceiling_is_due) measuring = ceiling_->take_again();
    const Request request = requests.agree();
    const bool due = every > 0 && engine_.step() % every == 0;
    saving = save_averages();
    if (due || request != Request::kNone || engine_.step() == last) saving += save(log.get());
    if (log && request == Request::kSave) requests.saved();
    checkpoints_.report();
    if (samples && engine_.step() % config_.run.sample_every == 0) {
      drawing = draw_samples(log.get(), *samples);
    }
    if (request >= Request::kStop && engine_.step() < last) {
      times.report_run();
      return request;
    }
  }
  times.report_run();
  return Request::kNone;
}

std::string Trainer::reason_to_roll_back(const StepReport& report) const {
  const bool for_spikes = config_.train.on_spike == OnSpike::kRollBack;
  const bool for_nan = config_.train.on_non_finite == OnNonFinite::kRollBack;
  std::string why;
  if (for_spikes && !report.rejected.empty()) why = report.rejected;
  if (for_nan && !report.non_finite.empty()) why = report.non_finite + " is not finite";
  return why.empty() ? why : fmt::format("step {}: {}", report.step, why);
}

void Trainer::roll_back(const std::string& why) {
  constexpr int kTries = 3;
  const std::int64_t from = engine_.step();
  rolled_back_ = from <= rolled_back_from_ ? rolled_back_ + 1 : 1;
  rolled_back_from_ = std::max(from, rolled_back_from_);
  require<NumericError>(rolled_back_ <= kTries, "train",
                        "{}, and it was {} times that it went back", why, kTries);
  checkpoints_.finish();
  const std::int64_t place = engine_.samples_seen();
  require<NumericError>(checkpoints_.restore(), "train",
                        "{}, and there is no checkpoint to go back to", why);
  warn_once(world(), "{}: went back to step {}, the {} samples seen since are skipped", why,
            engine_.step(), place - engine_.samples_seen());
  engine_.skip_samples_to(place);
}

void Trainer::look_for_spikes(StepRecord& record) {
  const StepReport& report = record.report;
  if (!report.non_finite.empty()) return;
  if (!report.rejected.empty()) {
    detector_.reject();
    warn_once(world(), "step {}: {}; the update was skipped", report.step, report.rejected);
    return;
  }
  record.spike = detector_.judge(report.loss, report.grad_norm);
  if (!record.spike.empty()) warn_once(world(), "step {}: {}", report.step, record.spike);
  detector_.accept(report.loss, report.grad_norm);
}

// What was trained on other data is not kept. What is open can be read on, whatever became of its
// name.
void Trainer::look_at_data() {
  dataset_.look_again();
  const std::int64_t gone = data_is_gone_ ? 0 : shards_gone(dataset_);
  if (gone == 0) return;
  data_is_gone_ = true;
  log::warning(
      "{}: {} of its {} shards were removed or renamed while they are in use: what is "
      "open is read on, a later start will need them",
      dataset_.path().string(), gone, dataset_.shards().size());
}

double Trainer::save(StepLog* log) {
  phase("checkpoint");
  const auto begin = Clock::now();
  if (world().is_root()) look_at_data();
  if (log) log->sync();
  checkpoints_.save();
  return seconds_since(begin);
}

double Trainer::save_averages() {
  const auto begin = Clock::now();
  return checkpoints_.save_averages() ? seconds_since(begin) : 0;
}

int Trainer::end(Request request, const RunRequests& requests) {
  int status = kDone;
  std::string what = "done";
  if (request == Request::kStop) {
    status = kStopped;
    what = requests.signal_name();
    warn_once(world(), "{} after step {}: saved, stopping", what, engine_.step());
  } else if (request == Request::kHold) {
    status = kHeld;
    what = directory_.stop_switch().string() + " is there";
    warn_once(world(), "{}: stopping after step {}; remove it to train on", what, engine_.step());
  } else {
    log::info("done after {} steps; checkpoints are in {}", engine_.step(),
              directory_.checkpoints().string());
  }
  if (world().is_root()) directory_.write_outcome(status, engine_.step(), what);
  return status;
}

data::OrderOptions Trainer::order_options() const {
  data::OrderOptions order;
  order.seed = config_.train.seed;
  order.mode = config_.data.order == SampleOrder::kGlobal ? data::OrderMode::kGlobal
                                                          : data::OrderMode::kShardLocal;
  order.window = static_cast<std::uint64_t>(config_.data.window);
  order.flips = config_.data.flip;
  order.holdout = config_.data.holdout;
  return order;
}

std::unique_ptr<data::Prefetcher> Trainer::open_batches() const {
  const auto size = static_cast<std::uint64_t>(config_.train.micro_batch);
  return std::make_unique<data::Prefetcher>(
      dataset_, dataset_.make_order(order_options()), size,
      plan_from(static_cast<std::uint64_t>(engine_.samples_seen()),
                static_cast<std::uint64_t>(config_.train.batch), engine_.own_micro_batches()),
      0, static_cast<std::size_t>(config_.data.prefetch));
}

StepRecord Trainer::take_step(data::Prefetcher& batches) {
  const auto begin = Clock::now();
  const double waited = batches.seconds_waited();
  if (recording_) recording_->step_begins(engine_.step() + 1);
  engine_.begin_step();
  for (const std::int64_t index : engine_.own_micro_batches()) {
    phase("data");
    const data::Batch& batch = batches.next();
    if (recording_) recording_->micro_batch_begins(index, batch);
    const std::vector<std::span<const float>> arrays(batch.arrays.begin(), batch.arrays.end());
    engine_.run_micro_batch(index, batch.latents, batch.labels, arrays);
    if (recording_) recording_->micro_batch_ends();
  }
  StepRecord record;
  record.report = engine_.finish_step();
  if (recording_) recording_->step_ends(engine_);
  if (watchdog_) watchdog_->first_step_done();
  world().set_timeout(2 * bounded_timeout(Seconds(config_.run.timeout)));  // the start is over
  record.images = config_.train.batch;
  record.samples_seen = engine_.samples_seen();
  record.epoch = static_cast<double>(record.samples_seen) /
                 static_cast<double>(dataset_.size() - holdout_.held().size());
  record.data_seconds = batches.seconds_waited() - waited;
  // With the FLOPs travels what the first rank says for all: that it is time for the ceiling.
  const bool is_due = world().is_root() && ceiling_->is_due();
  std::array<double, 2> sums{engine_.profiler().total_flops(), is_due ? 1.0 : 0.0};
  world().all_reduce(view_of(std::span<double>(sums), {2}), Reduce::kSum, "FLOPs");
  record.flops = sums[0];
  record.ceiling_is_due = sums[1] > 0;
  record.ceiling_rate = ceiling_->rate();
  record.step_seconds = seconds_since(begin);
  ceiling_->reached(record.ceiling_share());
  return record;
}

void Trainer::check_finite(const StepReport& report) const {
  if (report.non_finite.empty()) return;
  if (config_.train.on_non_finite == OnNonFinite::kSkip) {
    warn_once(world(), "step {}: {} is not finite; the update was skipped", report.step,
              report.non_finite);
    return;
  }
  fail<NumericError>("train", "step {}: {} is not finite; weights are those of step {}",
                     report.step, report.non_finite, report.step - 1);
}

}  // namespace edt
