#include "launcher/train/run_checkpoints.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/ops/ternary.h"
#include "core/storage/durable_file.h"
#include "launcher/recipe/pruned_weights.h"
#include "launcher/recipe/retention_options.h"
#include "launcher/recipe/text_space.h"
#include "launcher/run/metrics_scan.h"
#include "launcher/text/report.h"
#include "model/ternary.h"

namespace edt {
namespace {

std::string history_name(const TimeSampler& sampler) {
  return fmt::format("timestep_sampler.{}", sampler.name());
}

// Of a companion that has one; its first term is called as nobody else's.
std::string state_name(const AuxiliaryLoss& companion) {
  return fmt::format("companion.{}", companion.terms().front().name);
}

constexpr const char* kLoss = "loss";  // in CheckpointInfo::extra

std::string data_identity_in(const CheckpointInfo& info) {
  const auto extra = try_parse_json(info.extra);
  return extra.is_object() && extra.contains(kDataIdentity) ? dump_json(extra[kDataIdentity])
                                                            : "{}";
}

}  // namespace

RunCheckpoints::RunCheckpoints(const RunDirectory& directory, const TrainConfig& config,
                               RunIdentity identity, const Model& model, TrainingEngine& engine,
                               const Mesh& mesh)
    : directory_(directory),
      token_(directory.token()),
      store_(directory.checkpoints(), token_.number()),
      config_(config),
      identity_(std::move(identity)),
      model_(model),
      engine_(engine),
      mesh_(mesh),
      writer_(std::make_unique<CheckpointWriter>(
          store_, mesh.world().split(0, mesh.world().rank(), "checkpoint"), saved(),
          CheckpointWriterOptions{.keep = retention_of(config.run),
                                  .asynchronous = !config.run.wait_for_checkpoint,
                                  .device = &engine.tape().device(),
                                  .may_write = [token = token_] { token.check(); }})),
      averages_(
          config.optimizer.power_averages.empty()
              ? nullptr
              : std::make_unique<RunAverages>(directory, config, model, engine, mesh, parts())) {}

std::vector<StateArray> RunCheckpoints::arrays() {
  FlatState& state = engine_.state();
  std::vector<StateArray> all{{std::string(kMasterArray), state.master()},
                              {std::string(kEmaArray), state.ema()}};
  for (std::size_t i = 0; i < state.state_count(); ++i) {
    all.push_back(
        {fmt::format("{}.{}", engine_.optimizer().name(), state.state_name(i)), state.state(i)});
  }
  for (StateArray& average : average_arrays(state)) all.push_back(std::move(average));
  return all;
}

CheckpointState RunCheckpoints::held(std::vector<StateArray> arrays) {
  return state_of(engine_.layout(), model_.parameters().shards(), engine_.state().shard(),
                  std::move(arrays), parts());
}

CheckpointState RunCheckpoints::saved() {
  return state_of(engine_.layout(), model_.parameters().shards(), engine_.own_shard(), arrays(),
                  parts());
}

std::vector<TensorPart> RunCheckpoints::parts() const {
  const ParameterList& parameters = model_.parameters();
  std::vector<TensorPart> parts;
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const PartKind& kind = parameters.part(i);
    parts.push_back({std::string(kind.name), kind.use == PartUse::kTraining});
  }
  return parts;
}

void RunCheckpoints::load(const Checkpoint& checkpoint, std::vector<StateArray> arrays,
                          PartsRule rule) {
  Device& device = engine_.tape().device();
  if (device.in_host_memory()) return checkpoint.load(held(std::move(arrays)), rule);
  std::vector<std::vector<float>> memory;
  std::vector<StateArray> read = arrays;
  for (StateArray& array : read) {
    std::vector<float>& values = memory.emplace_back(array.values.size());
    if (rule == PartsRule::kBeginning) to_host(device, array.values, values);
    array.values = values;
  }
  checkpoint.load(held(std::move(read)), rule);
  for (std::size_t i = 0; i < arrays.size(); ++i) to_device(device, memory[i], arrays[i].values);
}

std::vector<ExtraArray> RunCheckpoints::extras() {
  std::vector<ExtraArray> all;
  const auto history = engine_.time_sampler().state();
  if (!history.empty()) {
    all.push_back({history_name(engine_.time_sampler()),
                   std::vector<double>(history.begin(), history.end())});
  }
  for (const AuxiliaryLoss* companion : engine_.companions()) {
    if (auto state = companion->state(); !state.empty()) {
      all.push_back({state_name(*companion), std::move(state)});
    }
  }
  return all;
}

void RunCheckpoints::restore_companions(const Checkpoint& checkpoint) {
  for (AuxiliaryLoss* companion : engine_.companions()) {
    const std::size_t numbers = companion->state().size();
    if (numbers == 0) continue;
    const std::string name = state_name(*companion);
    const auto extra = checkpoint.extra(name);
    const auto* values = extra ? std::get_if<std::vector<float>>(&extra->values) : nullptr;
    require<CheckpointError>(values != nullptr && values->size() == numbers, "checkpoint",
                             "{}: {} has {} numbers, {} are needed", checkpoint.path().string(),
                             name, values == nullptr ? 0 : values->size(), numbers);
    companion->restore(*values);
  }
}

bool RunCheckpoints::restore() {
  Communicator& world = mesh_.world();
  if (world.is_root()) {
    token_.check();
    store_.recover();
  }
  world.barrier("checkpoints recovered");
  const CheckpointChoice choice = newest_intact(store_, world);
  if (!choice.checkpoint) {
    allow_beginning_anew(choice);
    if (averages_) averages_->resumed(0);
    return false;
  }
  if (choice.checkpoint->info().optimizer.empty()) {
    start_from_weights(*choice.checkpoint);
  } else {
    go_on_from(*choice.checkpoint);
  }
  if (world.is_root()) {  // not before: a start that is refused leaves all as it is
    for (const RejectedCheckpoint& rejected : choice.rejected) store_.set_aside(rejected.entry);
    store_.clean_up();
  }
  if (averages_) averages_->resumed(engine_.step());
  log::info("loaded {}", choice.checkpoint->path().string());
  return true;
}

// Where nothing was ever saved, a start begins anew as a matter of course: after a kill before the
// first checkpoint the same steps are taken again. Else that is for somebody to decide.
void RunCheckpoints::allow_beginning_anew(const CheckpointChoice& choice) {
  Communicator& world = mesh_.world();
  std::string lost;
  if (world.is_root()) {
    const std::int64_t saved = directory_.saved_step();
    if (!choice.rejected.empty()) {
      lost = fmt::format("no checkpoint in {} is intact; the newest: {}",
                         store_.directory().string(), choice.rejected.front().reason);
    } else if (saved > 0) {
      lost = fmt::format("{} holds no checkpoint, but step {} was saved there",
                         store_.directory().string(), saved);
    }
    if (!lost.empty() && config_.run.on_damage == OnDamage::kStop) {
      lost += "; nothing was changed, --run.on-damage=start-anew begins at step 0";
    } else if (!lost.empty()) {
      log::warning("{}: beginning anew at step 0", lost);
      for (const RejectedCheckpoint& rejected : choice.rejected) store_.set_aside(rejected.entry);
      directory_.set_metrics_aside();
      lost.clear();
    }
  }
  lost = world.first_of_all(lost, "what was lost");
  require<CheckpointError>(lost.empty(), "checkpoint", "{}", lost);
  if (world.is_root()) store_.clean_up();
}

// Imported weights: a new run with optimizer and sampler at their beginning. What files of weights
// do not have, the parts of what trains beside, is drawn.
void RunCheckpoints::start_from_weights(const Checkpoint& checkpoint) {
  std::vector<StateArray> weights = arrays();
  weights.resize(2);  // master and moving average come first
  engine_.initialize();
  load(checkpoint, std::move(weights), PartsRule::kBeginning);
  engine_.restored(0, 0);
  smoothed_loss_ = {};
  log::info(
      "imported weights: steps, the optimizer's moments and the history of the timestep sampler "
      "begin anew, the moving average begins with them");
}

void RunCheckpoints::begin() {
  engine_.initialize();
  if (config_.run.init_from.empty()) return;
  const Checkpoint checkpoint = initial_checkpoint();
  FlatState& state = engine_.state();
  const std::string average(kEmaArray);
  load(checkpoint, {{average, state.master()}, {average, state.ema()}}, PartsRule::kBeginning);
  begin_scales(checkpoint);
  engine_.restored(0, 0);
  log::info("weights begin as the moving average of {}", checkpoint.path().string());
}

// Weights that become ternary: each scale begins as the mean magnitude of what was loaded. Every
// rank reads whole tensors, one after the other, and keeps the scales that it holds.
void RunCheckpoints::begin_scales(const Checkpoint& checkpoint) {
  const std::vector<LogicalTensor>& stored = checkpoint.manifest().tensors;
  const auto has_scales = [](const LogicalTensor& one) { return one.part.name == "ternary"; };
  if (std::ranges::any_of(stored, has_scales)) return;
  const FlatLayout& layout = engine_.layout();
  std::map<std::string_view, const Parameter*> weights;  // by their scales
  for (const Parameter& weight : model_.parameters().all()) {
    if (const Parameter* scale = scale_of(weight)) weights[scale->name] = &weight;
  }
  FlatState& state = engine_.state();
  for (const FlatFragment& fragment : layout.fragments(state.shard())) {
    const auto found = weights.find(layout.tensor(fragment.tensor).name);
    if (found == weights.end() || fragment.end == fragment.begin) continue;
    const auto tensor = std::ranges::find(stored, found->second->name, &LogicalTensor::name);
    const float scale = mean_magnitude(
        checkpoint.read_tensor(kEmaArray, static_cast<std::size_t>(tensor - stored.begin())));
    for (const std::span<float> array : {state.master(), state.ema()}) {
      to_device(engine_.tape().device(), std::span(&scale, 1),
                array.subspan(static_cast<std::size_t>(fragment.offset), 1));
    }
  }
}

// The first rank chooses and verifies for all.
Checkpoint RunCheckpoints::initial_checkpoint() {
  Communicator& world = mesh_.world();
  std::string chosen, refused;
  if (world.is_root()) {
    try {
      const Checkpoint found = find_checkpoint(config_.run.init_from);
      refuse_masks(found, "run.init-from");
      chosen = found.path().string();
    } catch (const Error& error) {
      refused = error.what();
    }
  }
  refused = world.first_of_all(refused, "weights to begin with");
  require<CheckpointError>(refused.empty(), "run.init-from", "{}", refused);
  return Checkpoint::open(world.broadcast(chosen, 0, "weights to begin with"));
}

// What trains beside has weights and moments of its own: they are there from the first step on.
void RunCheckpoints::require_equal_parts(const Checkpoint& checkpoint) {
  std::set<std::string> had, has;
  for (const LogicalTensor& tensor : checkpoint.manifest().tensors) had.insert(tensor.part.name);
  for (const TensorPart& part : parts()) has.insert(part.name);
  had.erase(""), has.erase("");
  const auto text = [](const std::set<std::string>& parts) {
    return parts.empty() ? "no part besides" : fmt::format("{}", fmt::join(parts, ", "));
  };
  require<CheckpointError>(had == has, "checkpoint",
                           "{} was trained with {}, now it is {}: run.init-from begins a new run "
                           "with its weights",
                           checkpoint.path().string(), text(had), text(has));
}

void RunCheckpoints::go_on_from(const Checkpoint& checkpoint) {
  const auto seed = checkpoint.info().seed;
  require<CheckpointError>(seed == config_.train.seed, "checkpoint",
                           "{} was made with train.seed {}, now it is {}",
                           checkpoint.path().string(), seed, config_.train.seed);
  TimeSampler& sampler = engine_.time_sampler();
  const auto history = checkpoint.extra(history_name(sampler));
  require<CheckpointError>(history.has_value() || sampler.state().empty(), "checkpoint",
                           "{} has no history of the timestep sampler {}",
                           checkpoint.path().string(), sampler.name());
  require_equal_parts(checkpoint);
  const CheckpointState state = held(arrays());
  checkpoint.find_tensors(state.tensors);
  checkpoint.require_arrays(state.arrays);
  check_changes(checkpoint);
  check_metrics(checkpoint);
  load(checkpoint, arrays());
  if (history) {
    const auto* values = std::get_if<std::vector<double>>(&history->values);
    require<CheckpointError>(values != nullptr, "checkpoint", "{}: {} is not of type float64",
                             checkpoint.path().string(), history->name);
    sampler.restore(*values);
  }
  restore_companions(checkpoint);
  smoothed_loss_.restore(checkpoint.info().smoothed_loss);
  engine_.restored(checkpoint.info().step, checkpoint.info().samples_seen);
}

// The loss of a step is known twice, to the bit: metrics with another one are of another run.
void RunCheckpoints::check_metrics(const Checkpoint& checkpoint) {
  const CheckpointInfo& info = checkpoint.info();
  std::string foreign;
  if (mesh_.world().is_root()) {
    const auto extra = try_parse_json(info.extra);
    const MetricsScan scan = scan_metrics(directory_.metrics(), info.step + 1);
    const bool is_known = extra.is_object() && extra.contains(kLoss) && extra[kLoss].is_number();
    if (is_known && scan.last_step == info.step && scan.loss && *scan.loss != extra[kLoss]) {
      foreign = fmt::format(
          "{} is of another run: its loss of step {} is {}, {} has {}; move it away to go on",
          directory_.metrics().string(), info.step, *scan.loss, checkpoint.path().string(),
          extra[kLoss].get<double>());
    }
  }
  foreign = mesh_.world().first_of_all(foreign, "metrics of the run");
  require<CheckpointError>(foreign.empty(), "metrics", "{}", foreign);
}

void RunCheckpoints::check_changes(const Checkpoint& checkpoint) {
  if (std::exchange(is_compared_, true)) return;
  std::string refused;
  if (mesh_.world().is_root()) {
    const CheckpointInfo& info = checkpoint.info();
    const std::string where = (checkpoint.path() / kManifestName).string();
    const auto changes =
        changes_between({info.configuration, data_identity_in(info)}, identity_, where);
    changes_ = text_of(changes);
    for (const OptionChange& one : changes) {
      log::info("{} was {} in {}, now it is {}", one.name, one.before,
                checkpoint.path().filename().string(), one.after);
    }
    auto of_curve = changes;
    std::erase_if(of_curve, [](const OptionChange& one) { return !one.changes_curve; });
    const std::string question = fmt::format("{} goes on with what changes its curve: {}",
                                             checkpoint.path().string(), text_of(of_curve));
    if (!of_curve.empty() && !config_.run.accept_changes &&
        !agreed_at_terminal(question + ". Go on?")) {
      refused = question + "; --accept-changes does that";
    }
  }
  refused = mesh_.world().first_of_all(refused, "changes since the checkpoint");
  require<CheckpointError>(refused.empty(), "checkpoint", "{}", refused);
}

void RunCheckpoints::begin_without() {
  const auto entries = store_.entries();
  require<UsageError>(entries.empty(), "run",
                      "run.resume is off, but {} holds a checkpoint of step {}",
                      store_.directory().string(), entries.empty() ? 0 : entries.front().step);
  allow_beginning_anew({});
  if (averages_) averages_->resumed(0);
}

DiskPreflight RunCheckpoints::preflight(bool saved_now, std::size_t most) {
  DiskPreflight preflight{.directory = store_.directory(),
                          .each = writer_->disk_bytes(extras()),
                          .free = free_bytes(store_.directory()),
                          .retention = retention_of(config_.run),
                          .present = store_.ranked(retention_of(config_.run)),
                          .saves = coming_saves(engine_.step(), config_.run.checkpoint_every,
                                                config_.train.steps, most)};
  if (averages_) preflight.snapshots = averages_->coming();
  if (saved_now) preflight.saves.insert(preflight.saves.begin(), engine_.step());
  return preflight;
}

void RunCheckpoints::require_space(bool fresh) {
  std::string refused;
  if (mesh_.world().is_root()) {
    const std::size_t rotation = saves_until_full(retention_of(config_.run));
    if (fresh) refused = preflight(false, rotation).shortage();
    constexpr std::size_t kAll = 10000;
    if (refused.empty())
      warn_of_space(preflight(false, config_.run.keep_every > 0 || averages_ ? kAll : rotation));
  }
  refused = mesh_.world().first_of_all(refused, "space for checkpoints");
  require<UsageError>(refused.empty(), "disk", "{}", refused);
  if (averages_) averages_->announce();
}

// Once, until the number that fits is another.
void RunCheckpoints::warn_of_space(const DiskPreflight& preflight) {
  const std::string shortage = preflight.shortage();
  const std::string number = shortage.empty() ? "" : fmt::format("{}", preflight.fitting());
  if (!shortage.empty() && number != shortage_) log::warning("[disk] {}", shortage);
  shortage_ = number;
}

void RunCheckpoints::took(const StepReport& report, std::map<std::string, double> judged) {
  last_loss_ = report.loss;
  judged_ = std::move(judged);
  if (report.non_finite.empty() && report.rejected.empty()) {
    smoothed_loss_.add(report.step, report.loss);
  }
}

CheckpointInfo RunCheckpoints::info() const {
  return {.step = engine_.step(),
          .samples_seen = engine_.samples_seen(),
          .seed = config_.train.seed,
          .model = model_.name(),
          .optimizer = std::string(engine_.optimizer().name()),
          .compute_dtype = std::string(name_of(config_.run.dtype)),
          .configuration = identity_.configuration,
          .mesh = fmt::format("{}, {}", mesh_.text(), text_of(config_.parallel.resolve())),
          .extra = dump_json(nlohmann::json{
              {kDataIdentity, parse_json(identity_.data, kDataIdentity)},
              {kLoss, last_loss_},
              {LatentSpace::kKey, parse_json(identity_.latents, LatentSpace::kKey)}}),
          .smoothed_loss = smoothed_loss_.value(),
          .judged = judged_};
}

// What cannot be looked at now, a folder that was just moved away, ends nothing: the writer makes
// it anew or says why it cannot, and training goes on.
void RunCheckpoints::look_at_space() {
  constexpr std::size_t kAhead = 4;
  try {
    warn_of_space(preflight(true, kAhead));
  } catch (const std::exception& error) {
    log::debug("{}", error.what());
  }
}

void RunCheckpoints::save() {
  writer_->wait();
  if (mesh_.world().is_root()) look_at_space();
  writer_->save(info(), extras());
}

bool RunCheckpoints::save_averages() {
  if (!averages_ || !averages_->is_due()) return false;
  averages_->save(info());
  return true;
}

void RunCheckpoints::report() {
  if (averages_) averages_->report();
  for (const CheckpointReport& report : writer_->take_reports()) {
    last_error_ = report.error;
    if (!mesh_.world().is_root()) continue;  // all ranks have the same reports
    if (report.ok()) {
      saved_ = report.step;
      log::info("checkpoint {}: {} in {}", report.path.string(),
                human_bytes(static_cast<double>(report.bytes)),
                human_duration(report.write_seconds));
    } else {
      log::error("checkpoint of step {} failed, training goes on: {}", report.step, report.error);
    }
  }
}

void RunCheckpoints::finish() {
  writer_->wait();
  report();
  require<SystemError>(last_error_.empty(), "checkpoint", "the last checkpoint failed: {}",
                       last_error_);
  if (averages_) averages_->finish();
}

}  // namespace edt
