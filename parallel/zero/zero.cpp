#include "parallel/zero/zero.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "parallel/comm/device/device_communicator.h"
#include "parallel/comm/wire.h"
#include "parallel/sharding/sum_tree.h"

namespace edt {
namespace {

std::vector<std::string> state_names(const Optimizer& optimizer) {
  const auto names = optimizer.state_names();
  return {names.begin(), names.end()};
}

std::vector<std::string> names_of(const std::vector<PowerAverage>& averages) {
  std::vector<std::string> names;
  for (const PowerAverage& average : averages) names.push_back(average.name());
  return names;
}

template <class T>
std::span<T> part_of(std::span<T> values, std::int64_t begin, std::int64_t count) {
  if (values.empty()) return {};
  return values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
}

// The parts of `ranges` inside `window`, counted from its begin.
std::vector<ElementRange> clip(std::span<const ElementRange> ranges, const FlatRange& window) {
  const auto low = static_cast<std::size_t>(window.begin);
  const auto high = static_cast<std::size_t>(window.end);
  std::vector<ElementRange> inside;
  for (const ElementRange& range : ranges) {
    const std::size_t begin = std::max(range.begin, low), end = std::min(range.end, high);
    if (begin < end) inside.push_back({begin - low, end - low});
  }
  return inside;
}

std::unique_ptr<Communicator> make_neighbours(Communicator& ranks, const ShardGroups& groups) {
  if (groups.count == 1 || groups.size == 1) return nullptr;
  return ranks.neighbours(groups.size, "shard ranks");
}

std::unique_ptr<Communicator> make_shard_ranks(Device& device, Communicator& neighbours,
                                               const ShardGroups& groups) {
  if (groups.size == 1) return nullptr;
  return communicator_for(device, neighbours, "weights and gradients");
}

std::unique_ptr<Communicator> make_replicas(Device& device, Communicator& ranks,
                                            const ShardGroups& groups) {
  if (groups.count == 1) return nullptr;
  if (groups.size == 1) return communicator_for(device, ranks, "weights and gradients");
  return communicator_for(device, *ranks.counterparts(groups.size, "replicas"),
                          "gradients of replicas");
}

}  // namespace

Zero::Zero(std::vector<Parameter*> parameters, Communicator& ranks, Device& device, DType dtype,
           const Optimizer& optimizer, const ZeroConfig& config, std::int64_t micro_batches,
           std::vector<PowerAverage> averages)
    : parameters_(std::move(parameters)),
      config_(config),
      plan_(FlatLayout::of(parameters_, kNormBlock), config, ranks.rank(), ranks.size()),
      device_(device),
      optimizer_(optimizer),
      ranks_(ranks),
      dtype_(dtype),
      averages_(std::move(averages)),
      state_(device, plan_.state_shard(), state_names(optimizer), names_of(averages_)),
      queue_(device, config.overlap && ranks.size() > 1, config.observer),
      neighbours_(make_neighbours(ranks, plan_.groups())),
      shard_ranks_(
          make_shard_ranks(queue_.device(), neighbours_ ? *neighbours_ : ranks, plan_.groups())),
      replicas_(make_replicas(queue_.device(), ranks, plan_.groups())),
      progress_(plan_.buckets().size()),
      square_sums_(device.memory(),
                   norm_blocks(static_cast<std::size_t>(layout().size())) * sizeof(double)) {
  require<UsageError>(micro_batches % ranks.size() == 0, "zero",
                      "{} micro-batches cannot be shared by {} ranks", micro_batches, ranks.size());
  require<UsageError>(!rounds_once(config.reduce_dtype) || device.in_host_memory(), "zero",
                      "gradients that travel as int8 or with error feedback are rounded in host "
                      "memory, where the device of this run has none");
  if (config.shared_weights && ranks.size() > 1) {
    require<UsageError>(device.in_host_memory(), "zero",
                        "weights are shared in host memory, where the device of this run has none");
    require<UsageError>(shard_ranks_ && config.stage < ZeroStage::kWeights, "zero",
                        "{}: weights that ranks share are those of stages 1 and 2, of ranks that "
                        "share the state",
                        text_of(config));
    shared_weights_ = config.shared_weights(neighbours_ ? *neighbours_ : ranks);
  }
  for (std::size_t t = 0; t < parameters_.size(); ++t) {
    bucket_of_.emplace(parameters_[t], plan_.bucket_of(t));
  }
  const ZeroContext context = this->context();
  const int count = static_cast<int>(micro_batches);
  gradients_ = config.stage < ZeroStage::kGradients ? make_whole_gradients(context, count)
                                                    : make_sharded_gradients(context, count);
  const SourceArray master{state_.master()};
  weights_ = config.stage < ZeroStage::kWeights ? make_whole_weights(context, master, dtype)
                                                : make_gathered_weights(context, master, dtype);
  micro_batches_ = gradients_->micro_batches(micro_batches);
}

Zero::~Zero() { queue_.stop(); }

void Zero::restored() {
  for (std::size_t b = 0; b < plan_.buckets().size(); ++b) weights_->changed(b, false);
  if (average_) average_->changed();
}

ParameterOwner& Zero::moving_average(std::vector<Parameter*> copies) {
  EDT_ASSERT(!average_);
  average_ =
      std::make_unique<WeightReader>(context(), std::move(copies), SourceArray{state_.ema(), true},
                                     config_.stage == ZeroStage::kWeights, dtype_);
  return *average_;
}

void Zero::begin_step() { queue_.reset_time(); }

std::optional<Zero::Work> Zero::work_of(int index) const {
  if (config_.stage == ZeroStage::kWeights) return std::nullopt;
  const auto count = static_cast<std::int64_t>(micro_batches_.size()) * plan_.ranks();
  const auto [open, merged, carries, last] = SumShare::of(count, plan_.ranks()).place_of(index);
  return Work{open,
              merged,
              carries,
              last,
              static_cast<std::int64_t>(weights_->arriving()),
              static_cast<std::int64_t>(average_ ? average_->arriving() : 0)};
}

void Zero::begin_micro_batch(int index) {
  for (std::size_t b = 0; b < progress_.size(); ++b) {
    progress_[b] = {plan_.bucket(b).last - plan_.bucket(b).first, false};
  }
  for (Parameter* parameter : parameters_) parameter->grad_written = false;
  gradients_->begin_micro_batch(index);
  if (average_) average_->begin_micro_batch();
  weights_->begin_micro_batch();
}

void Zero::begin_pass() { weights_->begin_micro_batch(); }

// A parameter that no op has used has a gradient too: zero.
void Zero::end_micro_batch() {
  for (std::size_t b = 0; b < progress_.size(); ++b) {
    if (progress_[b].pending == 0) continue;
    provide_gradients(b);
    for (std::size_t t = plan_.bucket(b).first; t < plan_.bucket(b).last; ++t) {
      if (!parameters_[t]->grad_written) device_.zero(parameters_[t]->grad);
    }
    gradients_->bucket_final(b);
  }
}

void Zero::finish_gradients() { queue_.wait_all(); }

void Zero::provide_gradients(std::size_t bucket) {
  if (!std::exchange(progress_[bucket].provided, true)) gradients_->provide(bucket);
}

void Zero::before_read(Parameter& parameter) { weights_->provide(bucket_of(parameter)); }
bool Zero::is_resident(const Parameter& parameter) const {
  return weights_->is_resident(bucket_of(parameter));
}
void Zero::before_write(Parameter& parameter) { provide_gradients(bucket_of(parameter)); }

void Zero::gradient_final(Parameter& parameter) {
  const std::size_t bucket = bucket_of(parameter);
  EDT_ASSERT(progress_[bucket].pending > 0);
  if (--progress_[bucket].pending == 0) gradients_->bucket_final(bucket);
}

void Zero::square_sums(std::span<const ElementRange> left_out, std::span<double> sums) {
  const Tensor all{square_sums_.data(), {static_cast<std::int64_t>(sums.size())}, DType::kFloat64};
  EDT_ASSERT(all.bytes() == square_sums_.bytes());
  device_.zero(all);
  for (std::size_t b = 0; b < plan_.buckets().size(); ++b) {
    const FlatRange own = plan_.bucket(b).own;
    const auto block = static_cast<std::int64_t>(kNormBlock);
    optimizer_.square_sums(gradients_->own(b), clip(left_out, own),
                           part_of(all.span<double>(), own.begin / block, own.elements() / block));
  }
  device_.download(all, sums.data());
}

std::string Zero::find_non_finite() const {
  for (std::size_t b = 0; b < plan_.buckets().size(); ++b) {
    std::vector<float> values(gradients_->own(b).size());
    to_host(device_, gradients_->own(b), values);
    const auto bad = std::ranges::find_if_not(values, [](float v) { return std::isfinite(v); });
    if (bad == values.end()) continue;
    const std::int64_t at = plan_.bucket(b).own.begin + (bad - values.begin());
    for (const FlatTensor& tensor : layout().tensors()) {
      if (tensor.offset <= at && at < tensor.end()) {
        return fmt::format("gradient of {} (element {} is {})", tensor.name, at - tensor.offset,
                           *bad);
      }
    }
    return "padding of the gradient";
  }
  return {};
}

void Zero::update(const Update& update) {
  for (std::size_t b = 0; b < plan_.buckets().size(); ++b) {
    const PlannedBucket& bucket = plan_.bucket(b);
    const std::int64_t begin = bucket.kept_at, count = bucket.kept.elements();
    std::vector<std::span<float>> states;
    for (std::size_t i = 0; i < state_.state_count(); ++i) {
      states.push_back(part_of(state_.state(i), begin, count));
    }
    const std::span<bfloat16> working = weights_->working(b);
    optimizer_.update({.params = part_of(state_.master(), begin, count),
                       .grads = gradients_->kept(b),
                       .states = states,
                       .ema = part_of(state_.ema(), begin, count),
                       .working = working,
                       .step = update.step,
                       .learning_rate = update.learning_rate,
                       .grad_scale = update.grad_scale,
                       .ema_decay = update.ema_decay});
    weights_->changed(b, !working.empty());
  }
  follow(update.step);
  if (average_) average_->changed();
}

void Zero::follow(std::int64_t step) {
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    optimizer_.follow(state_.master(), state_.average(i),
                      static_cast<float>(averages_[i].take(step)));
  }
}

std::vector<float> Zero::gather(std::span<const float> array) {
  std::vector<float> whole(static_cast<std::size_t>(layout().size()));
  for (const FlatShard::Part& part : state_.shard().parts) {
    to_host(device_, part_of(array, part.offset, part.range.elements()),
            part_of(std::span(whole), part.range.begin, part.range.elements()));
  }
  if (plan_.state_is_whole()) return whole;
  Communicator& shard_ranks = neighbours_ ? *neighbours_ : ranks_;
  for (const PlannedBucket& bucket : plan_.buckets()) {
    const auto values = part_of(std::span(whole), bucket.range.begin, bucket.range.elements());
    shard_ranks.all_gather_parts(view_of(values, {bucket.range.elements()}), bucket.bounds,
                                 bucket.weight_label);
  }
  return whole;
}

std::vector<MemoryUse> Zero::bytes_by_category() const {
  std::vector<MemoryUse> uses = state_.bytes_by_category();
  for (const auto& more : {weights_->bytes_by_category(), gradients_->bytes_by_category()}) {
    uses.insert(uses.end(), more.begin(), more.end());
  }
  if (average_) {
    const auto more = average_->bytes_by_category();
    uses.insert(uses.end(), more.begin(), more.end());
  }
  return uses;
}

}  // namespace edt
