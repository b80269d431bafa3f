#include "launcher/bench/gemm_tuning.h"

#include <functional>

#include "launcher/bench/benched_steps.h"

namespace edt {
namespace {

// Of the last of `count` runs: in the first all are timed, and weights that are not there yet may
// make other products.
GemmCalls calls_of(const std::function<void()>& step, int count, const Backend& backend) {
  GemmCalls before;
  for (int i = 0; i < count; ++i) {
    before = gemm_calls(backend);
    step();
  }
  GemmCalls calls = gemm_calls(backend);
  for (auto& [key, number] : calls) number -= before[key];
  std::erase_if(calls, [](const auto& entry) { return entry.second == 0; });
  return calls;
}

}  // namespace

StepCalls run_tuned_steps(const TunedSteps& steps, Backend& backend, Communicator& rank) {
  StepCalls calls;
  StepBenchOptions options = steps.step;
  options.graphs = false;
  if (steps.training > 0) {
    const Mesh mesh(rank, 1);
    TrainingSteps training(options, backend, mesh);
    calls.training = calls_of([&] { training.run(); }, steps.training, backend);
  }
  if (steps.sample_pictures > 0) {
    options.micro_batch = steps.sample_pictures;
    options.micro_batch_option = "--sample-batch";
    SamplerSteps sampler(options, backend, rank);
    calls.sampling = calls_of([&] { sampler.run(); }, 2, backend);
  }
  return calls;
}

GemmSeconds seconds_of(const GemmCalls& calls, const TunedGemms& tuned) {
  GemmSeconds sum;
  for (const auto& [key, number] : calls) {
    const auto found = tuned.gemms.find(key);
    if (found == tuned.gemms.end()) continue;
    sum.first += static_cast<double>(number) * found->second.first_call_seconds();
    sum.chosen += static_cast<double>(number) * found->second.call_seconds();
  }
  return sum;
}

}  // namespace edt
