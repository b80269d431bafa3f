#include "core/ops/cases/case_timing.h"

#include <optional>

#include "core/base/clock.h"
#include "core/base/median.h"

namespace edt {
namespace {

class Stopwatch {
 public:
  Stopwatch(const OpCase& op_case, Backend& backend, DType dtype)
      : op_case_(op_case),
        arena_(backend.memory()),
        tape_(backend, arena_, profiler_, dtype),
        inputs_(backend, dtype) {
    if (op_case.inference) no_grad_.emplace(tape_);
  }

  void round(CaseTiming& timing) {
    profiler_.reset();
    {
      Device& device = tape_.device();
      Var result;
      forward_.push_back(device.seconds_of([&] { result = op_case_.apply(tape_, inputs_); }));
      timing.forward_flops = profiler_.total_flops();
      timing.forward_bytes = input_bytes() + static_cast<double>(result.tensor().bytes());
      if (result.needs_grad()) {
        const Tensor grad = tape_.target(result.grad()).tensor;
        device.fill(grad, 1.0);
        timing.backward_bytes =
            input_bytes() + gradient_bytes() + static_cast<double>(grad.bytes());
        result = {};
        backward_.push_back(device.seconds_of([&] { tape_.backward(); }));
        timing.backward_flops = profiler_.total_flops() - timing.forward_flops;
      }
    }
    inputs_.end_step();
    tape_.clear();
  }

  // The first round also made the inputs and the arena's memory.
  void forget_times() {
    forward_.clear();
    backward_.clear();
  }

  void finish(CaseTiming& timing) const {
    timing.rounds = static_cast<int>(forward_.size());
    timing.forward_seconds = median(forward_);
    if (!backward_.empty()) timing.backward_seconds = median(backward_);
  }

 private:
  double input_bytes() {
    double sum = 0;
    for (const auto& entry : inputs_.entries()) sum += static_cast<double>(entry->value.bytes());
    return sum;
  }
  double gradient_bytes() {
    double sum = 0;
    for (const auto& entry : inputs_.entries()) {
      if (!entry->differentiable) continue;
      sum +=
          static_cast<double>((entry->parameter ? entry->parameter->grad : entry->value).bytes());
    }
    return sum;
  }

  const OpCase& op_case_;
  Arena arena_;
  Profiler profiler_;
  Tape tape_;
  CaseInputs inputs_;
  std::optional<Tape::NoGrad> no_grad_;
  std::vector<double> forward_, backward_;
};

}  // namespace

CaseTiming time_case(const OpCase& op_case, Backend& backend, DType dtype, double seconds) {
  constexpr int kLeastRounds = 3;
  CaseTiming timing;
  Stopwatch stopwatch(op_case, backend, dtype);
  try {
    stopwatch.round(timing);
  } catch (const NotImplemented&) {
    timing.supported = false;
    return timing;
  }
  stopwatch.forget_times();
  const auto begin = Clock::now();
  for (int i = 0; i < kLeastRounds || seconds_since(begin) < seconds; ++i) {
    stopwatch.round(timing);
  }
  stopwatch.finish(timing);
  return timing;
}

}  // namespace edt
