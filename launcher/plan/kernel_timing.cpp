#include "launcher/plan/kernel_timing.h"

#include <algorithm>
#include <map>

#include "core/base/clock.h"
#include "core/base/median.h"
#include "core/optim/grad_norm.h"
#include "core/random/stream.h"
#include "launcher/machine/measuring.h"
#include "model/plan/dry_step.h"

namespace edt {
namespace {

// Memory of the backend for fake blocks, from their first use on: what the dry step has written
// (its inputs), else small numbers. In host memory a block stays where it is.
class RealMemory {
 public:
  RealMemory(const FakeMemory& fake, Backend& backend) : fake_(fake), backend_(backend) {
    pattern_.resize(std::size_t{1} << 18);
    random::fill_normal({.purpose = random::Purpose::kBenchmark}, pattern_);
    for (float& value : pattern_) value *= 0.05f;
  }

  void* operator()(void* address) {
    const auto fake = fake_.block_of(address);
    if (!fake) return address;
    auto found = begins_.find(fake->begin);
    if (found == begins_.end()) found = begins_.emplace(fake->begin, make_real(*fake)).first;
    return found->second + (static_cast<std::byte*>(address) - fake->begin);
  }

  std::size_t bytes() const { return bytes_ + pattern_.size() * sizeof(float); }

 private:
  std::byte* make_real(const FakeMemory::Block& fake) {
    const bool touched = FakeMemory::is_touched(fake);
    std::byte* begin = fake.begin;
    bytes_ += fake.bytes;
    if (!backend_.in_host_memory()) {
      begin = static_cast<std::byte*>(blocks_.emplace_back(backend_.memory(), fake.bytes).data());
      if (touched) backend_.upload(fake.begin, floats(begin, fake.bytes));
    }
    if (!touched) fill(begin, fake.bytes);
    return begin;
  }

  void fill(std::byte* begin, std::size_t bytes) {
    const std::size_t piece = pattern_.size() * sizeof(float);
    for (std::size_t at = 0; at + sizeof(float) <= bytes; at += piece) {
      backend_.upload(pattern_.data(), floats(begin + at, std::min(piece, bytes - at)));
    }
  }

  static Tensor floats(std::byte* begin, std::size_t bytes) {
    return {begin, {static_cast<std::int64_t>(bytes / sizeof(float))}, DType::kFloat32};
  }

  const FakeMemory& fake_;
  Backend& backend_;
  std::vector<float> pattern_;
  std::map<std::byte*, std::byte*> begins_;  // of fake blocks, where they really are
  std::vector<Block> blocks_;
  std::size_t bytes_ = 0;
};

// Seconds of each kernel of the trace: median over samples, mean over ranks.
class Replayer {
 public:
  Replayer(const Trace& trace, const FakeMemory& fake, Backend& backend)
      : trace_(trace), backend_(backend), memory_(fake, backend), samples_(trace.kernels.size()) {}

  // Runs everything; `samples` < 0: without taking times.
  void run(int samples) {
    std::vector<int> taken(trace_.kernels.size());
    std::size_t call = 0;
    const Relocation relocate = [this](void* address) { return memory_(address); };
    for (const TraceEvent& event : trace_.events) {
      if (event.type != TraceEvent::Type::kKernel) continue;
      const Replay& replay = trace_.replays[call++];
      if (!replay) continue;
      const bool stream = trace_.kernels[event.index].kind == KernelClass::kStream;
      if (samples >= 0 && !stream && taken[event.index]++ >= samples) continue;
      const double seconds = backend_.seconds_of([&] { replay(backend_, relocate); });
      if (samples >= 0) samples_[event.index].push_back(seconds);
    }
  }

  std::vector<double> seconds() const {
    std::vector<double> medians;
    for (const auto& samples : samples_) medians.push_back(samples.empty() ? 0 : median(samples));
    return medians;
  }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  const Trace& trace_;
  Backend& backend_;
  RealMemory memory_;
  std::vector<std::vector<double>> samples_;
};

// Host work of a step for each kernel: tape, arena and draws, without kernels.
double host_seconds(DryStep& dry_step, std::size_t kernels) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    const auto begin = Clock::now();
    dry_step.run_unrecorded();
    times.push_back(seconds_since(begin));
  }
  return median(times) / static_cast<double>(std::max<std::size_t>(kernels, 1));
}

// Seconds per byte of passes over flat buffers that no cache holds.
class Streams {
 public:
  Streams(Backend& backend, const OptimizerConfig& config)
      : backend_(backend),
        elements_(backend.in_host_memory() ? kHostElements : kGpuElements),
        optimizer_(backend.make_optimizer(config)) {
    const int arrays = optimizer_->state_count() + 3;
    for (int i = 0; i < arrays; ++i) {
      blocks_.emplace_back(backend.memory(), elements_ * sizeof(float));
      backend.zero(array(i));
    }
  }

  std::map<std::string, double, std::less<>> measure() {
    std::map<std::string, double, std::less<>> rates;
    const double one = static_cast<double>(elements_ * sizeof(float));
    rates["zero"] = time([&] { backend_.zero(array(0)); }) / one;
    rates["fill"] = time([&] { backend_.fill(array(0), 0.5); }) / one;
    rates["copy"] = time([&] { backend_.copy(array(0), array(1)); }) / (2 * one);
    std::vector<float> host(elements_);
    rates["upload"] = time([&] { backend_.upload(host.data(), array(0)); }) / one;
    rates["download"] = time([&] { backend_.download(array(0), host.data()); }) / one;
    rates["fold"] = time([&] {
                      const Tensor sum = array(0);
                      backend_.fold({&sum, 1}, array(1));
                    }) /
                    (3 * one);
    std::vector<double> sums(norm_blocks(elements_));
    rates["square_sums"] = time([&] { optimizer_->square_sums(floats(0), {}, sums); }) / one;
    rates["power_average"] =
        time([&] { optimizer_->follow(floats(0), floats(1), 1e-4f); }) / (3 * one);
    const int states = optimizer_->state_count();
    rates["optimizer"] = time([&] { update(); }) / ((2 * (2 + states) + 1) * one);
    return rates;
  }

 private:
  static constexpr std::size_t kHostElements = std::size_t{4} << 20;
  static constexpr std::size_t kGpuElements = std::size_t{32} << 20;  // L2 holds 10 to 15 M floats

  Tensor array(int i) const {
    return {blocks_[static_cast<std::size_t>(i)].data(),
            {static_cast<std::int64_t>(elements_)},
            DType::kFloat32};
  }
  std::span<float> floats(int i) const { return array(i).span<float>(); }

  void update() {
    std::vector<std::span<float>> states;
    for (int i = 0; i < optimizer_->state_count(); ++i) states.push_back(floats(3 + i));
    optimizer_->update({.params = floats(0),
                        .grads = floats(1),
                        .states = states,
                        .ema = floats(2),
                        .step = 2,
                        .learning_rate = 1e-4});
  }

  template <class F>
  double time(F work) {
    work();
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) times.push_back(backend_.seconds_of(work));
    return median(times);
  }

  Backend& backend_;
  std::size_t elements_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Block> blocks_;
};

void average(std::vector<double>& values, Communicator& ranks) {
  if (values.empty()) return;
  ranks.all_reduce(view_of(std::span(values), {static_cast<std::int64_t>(values.size())}),
                   Reduce::kSum, "kernel times");
  for (double& value : values) value /= ranks.size();
}

}  // namespace

KernelTiming time_kernels(const PlannedStep& step, Backend& backend, Communicator& ranks,
                          const KernelTimingOptions& options) {
  DryStep dry_step(step, true);
  dry_step.run_step();
  dry_step.run_step();
  const Trace trace = dry_step.result().trace;
  KernelTiming timing;
  timing.launch = host_seconds(dry_step, trace.replays.size());
  Replayer replayer(trace, dry_step.memory(), backend);
  replayer.run(-1);
  for (int round = 0; round < options.rounds; ++round) {
    ranks.barrier("kernel times");
    replayer.run(options.samples);
  }
  timing.process_memory =
      static_cast<double>(process_bytes()) - static_cast<double>(replayer.bytes());
  std::vector<double> seconds = replayer.seconds();
  seconds.push_back(timing.launch);
  average(seconds, ranks);
  for (std::size_t i = 0; i < trace.kernels.size(); ++i) {
    const Kernel& kernel = trace.kernels[i];
    if (kernel.kind != KernelClass::kStream && seconds[i] > 0) {
      timing.times.seconds.emplace(kernel.key, seconds[i]);
    }
  }
  timing.launch = seconds.back();
  timing.process_memory = ranks.all_reduce_value(timing.process_memory, Reduce::kMax, "memory");
  ranks.barrier("flat buffers");
  std::vector<std::string> names;
  std::vector<double> rates;
  for (const auto& [name, rate] : Streams(backend, step.engine.optimizer).measure()) {
    names.push_back(name);
    rates.push_back(rate);
  }
  average(rates, ranks);
  for (std::size_t i = 0; i < names.size(); ++i) {
    timing.times.seconds_per_byte.emplace(names[i], rates[i]);
  }
  return timing;
}

}  // namespace edt
