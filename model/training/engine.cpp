#include "model/training/engine.h"

#include <cmath>
#include <numeric>

#include "core/base/clock.h"
#include "core/base/span.h"
#include "core/optim/grad_norm.h"
#include "model/weights.h"

namespace edt {
namespace {

double mean(std::span<const float> values) {
  double sum = 0;
  for (float v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

// Adds the seconds of its scope to a sum, without those in which it waited for communication.
class OwnTime {
 public:
  OwnTime(Zero& zero, double& sum)
      : zero_(zero), sum_(sum), waited_(zero.communication_time().exposed) {}
  ~OwnTime() { sum_ += seconds_since(begin_) - (zero_.communication_time().exposed - waited_); }
  OwnTime(const OwnTime&) = delete;
  OwnTime& operator=(const OwnTime&) = delete;

 private:
  Zero& zero_;
  double& sum_;
  double waited_;
  Clock::time_point begin_ = Clock::now();
};

// NCCL's guide: operations of several communicators of a GPU must be asked for in one order on all
// ranks, or they may wait for each other. A queue beside the model's collectives has no such order.
ZeroConfig zero_config(const EngineConfig& config, const TensorGroup& tensor_ranks,
                       const Device& device) {
  ZeroConfig zero = config.zero;
  if (!tensor_ranks.single() && !device.in_host_memory()) zero.overlap = false;
  return zero;
}

std::vector<PowerAverage> power_averages(const EngineConfig& config) {
  return {config.power_averages.begin(), config.power_averages.end()};
}

}  // namespace

TrainingEngine::TrainingEngine(Model& model, Backend& backend, Communicator& data_ranks,
                               const EngineConfig& config, Companions companions)
    : model_(model),
      backend_(backend),
      data_ranks_(data_ranks),
      tensor_ranks_(model.parameters().tensor_ranks()),
      config_(config),
      optimizer_(backend.make_optimizer(config.optimizer)),
      zero_(parameter_pointers(model.parameters()), data_ranks, backend, config.dtype, *optimizer_,
            zero_config(config, tensor_ranks_, backend), micro_batches(), power_averages(config)),
      sampler_(make_time_sampler(config.times, model.process().steps())),
      arena_(backend.memory()),
      tape_(backend, arena_, profiler_, config.dtype),
      objective_(model, backend, config.objective, config.micro_batch, companions),
      graphs_(backend, profiler_),
      graphs_apply_(config.graphs && !model.dropping() && tensor_ranks_.single()) {
  tape_.set_parameter_owner(&zero_);
  attach_teacher(companions);
  model_.set_recompute(config.recompute);
  const auto batch = static_cast<std::size_t>(config.batch);
  positions_.resize(batch);
  std::iota(positions_.begin(), positions_.end(), 0);
  const std::size_t groups = objective_.grouped() ? 2 : 1;
  times_.resize(groups * batch);
  weights_.resize(groups * batch);
  losses_.resize(kPasses * terms() * batch);
  device_losses_ = Block(backend.memory(), own_losses().bytes());
  losses_of_one_ = Block(backend.memory(), own_losses().slice(0, 1).bytes());
  if (const std::int64_t numbers = objective_.statistics().elements(); numbers > 0) {
    device_statistics_ = Block(backend.memory(), own_statistics().bytes());
    statistics_.resize(static_cast<std::size_t>(micro_batches() * numbers));
  }
  // Companions leave rows of passes that they do not read as they are.
  if (!companions.empty()) backend.zero(losses_of_one());
  norm_sums_.resize(norm_blocks(static_cast<std::size_t>(layout().size())));
  copies_ = copies_in(layout(), model.parameters().shards(), layout().whole());
}

// All companions that look at the moving average look at it through one network.
void TrainingEngine::attach_teacher(Companions companions) {
  const Teacher* attached = nullptr;
  for (AuxiliaryLoss* one : companions) {
    Teacher* const teacher = one->teacher();
    if (teacher == nullptr || teacher == attached) continue;
    EDT_ASSERT(attached == nullptr);
    teacher->attach(tape_, zero_.moving_average(teacher->copies()));
    attached = teacher;
  }
}

// Every rank draws whole tensors and keeps its fragments of them.
void TrainingEngine::initialize() {
  std::vector<float> tensor;
  Device& device = tape_.device();
  for (const FlatFragment& fragment : layout().fragments(state().shard())) {
    tensor.resize(static_cast<std::size_t>(layout().tensor(fragment.tensor).elements()));
    model_.parameters().initialize(fragment.tensor, config_.seed, tensor);
    const auto size = static_cast<std::size_t>(fragment.end - fragment.begin);
    const auto values = std::span(tensor).subspan(static_cast<std::size_t>(fragment.begin), size);
    for (const std::span<float> array : {state().master(), state().ema()}) {
      to_device(device, values, array.subspan(static_cast<std::size_t>(fragment.offset), size));
    }
  }
  restored(0, 0);
}

void TrainingEngine::restored(std::int64_t step, std::int64_t samples_seen) {
  step_ = step;
  samples_seen_ = samples_seen;
  zero_.restored();
}

std::span<float> TrainingEngine::losses(PassKind pass, std::size_t term) {
  const auto batch = static_cast<std::size_t>(config_.batch);
  return std::span(losses_).subspan((pass * terms() + term) * batch, batch);
}

std::span<const double> TrainingEngine::second_times(std::size_t first, std::size_t size) const {
  if (!objective_.grouped()) return {};
  return std::span(times_).subspan(static_cast<std::size_t>(config_.batch) + first, size);
}

void TrainingEngine::begin_step() {
  if (objective_.begin_step(step_)) graphs_.forget();
  sampler_->sample(key().seed, key().step, times_, weights_);
  zero_.begin_step();
  profiler_.reset();
  std::ranges::fill(losses_, 0.f);
  done_ = 0;
  compute_seconds_ = 0;
}

Tensor TrainingEngine::own_losses() const {
  const auto own = static_cast<std::int64_t>(own_micro_batches().size());
  return {device_losses_.data(),
          {own, static_cast<std::int64_t>(terms()), objective_.rows()},
          DType::kFloat32};
}

void TrainingEngine::run_micro_batch(std::int64_t index, std::span<const float> latents,
                                     std::span<const std::int32_t> labels,
                                     std::span<const std::span<const float>> arrays) {
  const OwnTime time(zero_, compute_seconds_);
  const auto size = static_cast<std::size_t>(config_.micro_batch);
  const std::size_t first = static_cast<std::size_t>(index) * size;
  const MicroBatch batch{.latents = latents,
                         .labels = labels,
                         .positions = std::span(positions_).subspan(first, size),
                         .times = std::span(times_).subspan(first, size),
                         .weights = std::span(weights_).subspan(first, size),
                         .arrays = arrays,
                         .second_times = second_times(first, size)};
  config_.on_phase("forward");
  EDT_ASSERT(own_micro_batches()[done_] == index);
  objective_.prepare(key(), batch);
  const int own = static_cast<int>(done_++);
  const auto work = graphs_apply_ ? zero_.work_of(own) : std::nullopt;
  if (work && graphs_.holds(*work)) {
    config_.on_phase("graph");
    graphs_.replay(*work);
  } else if (work) {
    graphs_.run(*work, [&] { compute_micro_batch(own); });
  } else {
    compute_micro_batch(own);
  }
  const Tensor all = own_losses();
  tape_.device().copy(losses_of_one().reshaped(all.slice(own, own + 1).shape),
                      all.slice(own, own + 1));
  if (statistics_.empty()) return;
  const Tensor numbers = own_statistics().slice(own, own + 1);
  tape_.device().copy(objective_.statistics().reshaped(numbers.shape), numbers);
}

Tensor TrainingEngine::own_statistics() const {
  const auto own = static_cast<std::int64_t>(own_micro_batches().size());
  return {device_statistics_.data(), {own, objective_.statistics().elements()}, DType::kFloat32};
}

Tensor TrainingEngine::losses_of_one() const {
  return {losses_of_one_.data(),
          {static_cast<std::int64_t>(terms()), objective_.rows()},
          DType::kFloat32};
}

// All of it may be a graph: what the device is asked for is the same in every step.
void TrainingEngine::compute_micro_batch(int own) {
  zero_.begin_micro_batch(own);
  objective_.run(tape_, 1.0 / static_cast<double>(micro_batches()), losses_of_one(),
                 [this] { config_.on_phase("backward"); });
  zero_.end_micro_batch();
}

// The step's only wait for a device, but for the gradient norm beside it.
void TrainingEngine::fetch_losses() {
  const auto begin = Clock::now();
  const Tensor from = own_losses();
  std::vector<float> values(static_cast<std::size_t>(from.elements()));
  tape_.device().download(from, values.data());
  const auto size = static_cast<std::size_t>(config_.micro_batch);
  auto next = values.begin();
  for (const std::int64_t index : own_micro_batches()) {
    for (std::size_t term = 0; term < terms(); ++term) {
      for (const PassKind pass : {kFull, kSecond}) {
        if (pass == kSecond && !objective_.masked() && !objective_.has_complete_pass()) continue;
        const auto to = losses(pass, term).subspan(static_cast<std::size_t>(index) * size, size);
        std::copy_n(next, size, to.begin());
        next += static_cast<std::ptrdiff_t>(size);
        if (!objective_.grouped()) continue;
        for (float& loss : to) loss += *next++;  // of the other group of the same picture
      }
    }
  }
  compute_seconds_ += seconds_since(begin);
}

// Rows of other ranks stay 0.
void TrainingEngine::fetch_statistics() {
  if (statistics_.empty()) return;
  const Tensor from = own_statistics();
  std::vector<float> values(static_cast<std::size_t>(from.elements()));
  tape_.device().download(from, values.data());
  std::ranges::fill(statistics_, 0.f);
  const auto numbers = static_cast<std::size_t>(from.shape[1]);
  auto next = values.begin();
  for (const std::int64_t index : own_micro_batches()) {
    std::copy_n(next, numbers, statistics_.begin() + index * from.shape[1]);
    next += from.shape[1];
  }
}

// As of losses: each number is zero on all ranks but one.
void TrainingEngine::learn() {
  if (statistics_.empty()) return;
  data_ranks_.all_reduce(
      view_of(std::span(statistics_), {static_cast<std::int64_t>(statistics_.size())}),
      Reduce::kSum, "statistics of companions");
  objective_.learn(statistics_, micro_batches());
}

StepReport TrainingEngine::finish_step() {
  StepReport report;
  report.step = step_ + 1;
  report.learning_rate = learning_rate(config_.rate, step_);
  config_.on_phase("collective");
  zero_.finish_gradients();
  fetch_losses();
  fetch_statistics();
  update(report);
  ++step_;
  samples_seen_ += config_.batch;
  const CommunicationTime time = zero_.communication_time();
  report.communication_seconds = time.exposed;
  report.hidden_communication_seconds = time.hidden();
  report.compute_seconds = compute_seconds_;
  return report;
}

// Once the gradient is there: its norm, and, unless something is wrong with it, new weights.
void TrainingEngine::update(StepReport& report) {
  const OwnTime time(zero_, report.optimizer_seconds);
  reduce_losses(report);
  report.grad_norm = reduce_grad_norm();
  report.non_finite = find_non_finite(report);
  if (report.non_finite.empty()) report.rejected = config_.judge(report);
  if (report.non_finite.empty() && report.rejected.empty()) {
    config_.on_phase("optimizer");
    const Span span({.kind = SpanKind::kCompute, .name = "update"});
    zero_.update({.step = step_ + 1,
                  .learning_rate = report.learning_rate,
                  .grad_scale = clip_factor(report.grad_norm, config_.clip),
                  .ema_decay = config_.ema_decay});
    const std::vector<float> total = total_losses();
    sampler_->update(std::span(times_).first(total.size()), total);
    learn();
  } else {
    zero_.pass_over(step_ + 1);
  }
}

// Of each sample in both passes. Added from the last to the first: what is there has these bits.
std::vector<float> TrainingEngine::total_losses() {
  std::vector<float> total(static_cast<std::size_t>(config_.batch));
  for (const PassKind pass : {kSecond, kFull}) {
    for (std::size_t term = terms(); term-- > 0;) {
      if (objective_.terms()[term].beside) continue;
      const auto weight = static_cast<float>(objective_.terms()[term].weight);
      const std::span<const float> values = losses(pass, term);
      for (std::size_t i = 0; i < total.size(); ++i) total[i] = weight * values[i] + total[i];
    }
  }
  return total;
}

// Each loss is zero on all ranks but one: the sum has its bits.
void TrainingEngine::reduce_losses(StepReport& report) {
  data_ranks_.all_reduce(view_of(std::span(losses_), {static_cast<std::int64_t>(losses_.size())}),
                         Reduce::kSum, "losses");
  report.loss = weighted_loss(kFull);
  for (std::size_t term = 0; term < terms(); ++term) {
    const LossTerm& loss = objective_.terms()[term];
    (loss.beside ? report.beside : report.terms).emplace_back(loss.name, mean(losses(kFull, term)));
  }
  if (objective_.masked()) report.masked_loss = weighted_loss(kSecond);
  if (objective_.has_complete_pass()) {
    report.beside.emplace_back("complete_loss", weighted_loss(kSecond));
  }
}

double TrainingEngine::weighted_loss(PassKind pass) {
  double sum = 0;
  const auto batch = static_cast<std::size_t>(config_.batch);
  for (std::size_t i = 0; i < batch; ++i) {
    double of_sample = 0;
    for (std::size_t term = 0; term < terms(); ++term) {
      if (objective_.terms()[term].beside) continue;
      of_sample += objective_.terms()[term].weight * double{losses(pass, term)[i]};
    }
    sum += double{weights_[i]} * of_sample;
  }
  return sum / static_cast<double>(batch);
}

// Blocks have one owner among the data ranks; the parts of a tensor add up over tensor ranks.
double TrainingEngine::reduce_grad_norm() {
  zero_.square_sums(copies_, norm_sums_);
  const Tensor sums =
      view_of(std::span(norm_sums_), {static_cast<std::int64_t>(norm_sums_.size())});
  data_ranks_.all_reduce(sums, Reduce::kSum, "gradient norm");
  if (!tensor_ranks_.single())
    tensor_ranks_.communicator->all_reduce(sums, Reduce::kSum, "gradient norm");
  return norm_of(norm_sums_);
}

std::string TrainingEngine::find_non_finite(const StepReport& report) {
  if (!std::isfinite(report.loss)) return fmt::format("loss of the full pass ({})", report.loss);
  if (report.masked_loss && !std::isfinite(*report.masked_loss))
    return fmt::format("loss of the masked pass ({})", *report.masked_loss);
  for (const auto& [name, value] : report.beside) {
    if (!std::isfinite(value)) return fmt::format("loss {} ({})", name, value);
  }
  if (std::isfinite(report.grad_norm)) return {};
  constexpr std::string_view kLabel = "what is not finite";
  std::string found = data_ranks_.first_of_all(zero_.find_non_finite(), kLabel);
  if (!tensor_ranks_.single()) found = tensor_ranks_.communicator->first_of_all(found, kLabel);
  return found.empty() ? fmt::format("gradient norm ({})", report.grad_norm) : found;
}

std::vector<double> TrainingEngine::validate(const ValidationRows& rows) {
  if (!validation_) {
    validation_ = std::make_unique<ValidationLoss>(
        model_, backend_, config_.dtype, config_.objective.loss, config_.micro_batch, &zero_);
  }
  zero_.begin_pass();
  return validation_->run(config_.seed, rows);
}

std::vector<MemoryUse> TrainingEngine::memory() const {
  std::vector<MemoryUse> uses = zero_.bytes_by_category();
  if (const std::size_t teacher = objective_.teacher_bytes(); teacher > 0) {
    uses.push_back({"teacher", teacher});
  }
  uses.push_back({"activations", arena_.peak_bytes()});
  return uses;
}

}  // namespace edt
