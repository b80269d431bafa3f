#include "model/plan/simulate.h"

#include <algorithm>
#include <deque>

#include "core/base/assert.h"

namespace edt {
namespace {

struct Work {
  double seconds = 0;
  Spent spent = Spent::kRows;
};

// What the compute stream does next.
struct Step {
  enum class Type { kWork, kSubmit, kWait } type;
  Work work;
  std::int64_t task = 0;  // counted from the trace's first; negative: of an earlier step
};

struct Program {
  std::vector<Step> steps;
  std::vector<std::vector<Work>> tasks;
};

Spent spent_of(const Kernel& kernel) {
  switch (kernel.kind) {
    case KernelClass::kMatrix:
      return Spent::kMatrix;
    case KernelClass::kAttention:
      return Spent::kAttention;
    case KernelClass::kStream:
      return Spent::kOptimizer;
    case KernelClass::kRows:
      break;
  }
  return Spent::kRows;
}

Spent spent_of(const PlannedCollective& collective, bool in_task) {
  if (collective.group == RankGroup::kTensor) return Spent::kTensorRanks;
  if (!in_task) return Spent::kScalars;
  return collective.is_gradient ? Spent::kGradients : Spent::kWeights;
}

std::vector<Work> price(const std::vector<Kernel>& kernels, const Cluster& cluster) {
  std::vector<Work> prices;
  for (const Kernel& kernel : kernels) {
    prices.push_back({cluster.kernel_seconds(kernel), spent_of(kernel)});
  }
  return prices;
}

std::vector<double> price(const std::vector<PlannedCollective>& collectives,
                          const Cluster& cluster) {
  std::vector<double> prices;
  for (const PlannedCollective& collective : collectives) {
    prices.push_back(collective_seconds(collective, cluster));
  }
  return prices;
}

// Without a thread of its own, what a task does happens where it is handed over.
Program compile(const Trace& trace, const SimulatedMesh& mesh, const Cluster& cluster) {
  const bool threaded = mesh.overlap && mesh.data_ranks > 1 &&
                        (mesh.tensor_ranks == 1 || cluster.overlap_beside_tensor_ranks);
  const std::vector<Work> kernels = price(trace.kernels, cluster);
  const std::vector<double> collectives = price(trace.collectives, cluster);
  const auto first_task =
      std::ranges::find(trace.events, TraceEvent::Type::kTaskBegin, &TraceEvent::type);
  const auto first =
      first_task == trace.events.end() ? 0 : static_cast<std::int64_t>(first_task->ticket);
  Program program;
  bool in_task = false;
  const auto add = [&](const Work& work) {
    if (threaded && in_task) {
      program.tasks.back().push_back(work);
    } else {
      program.steps.push_back({Step::Type::kWork, work});
    }
  };
  for (const TraceEvent& event : trace.events) {
    switch (event.type) {
      case TraceEvent::Type::kKernel:
        add(kernels[event.index]);
        break;
      case TraceEvent::Type::kCollective:
        add({collectives[event.index], spent_of(trace.collectives[event.index], in_task)});
        break;
      case TraceEvent::Type::kTaskBegin:
        in_task = true;
        program.tasks.emplace_back();
        break;
      case TraceEvent::Type::kTaskEnd:
        in_task = false;
        if (threaded) {
          program.steps.push_back(
              {Step::Type::kSubmit, {}, static_cast<std::int64_t>(program.tasks.size()) - 1});
        }
        break;
      case TraceEvent::Type::kWait:
        if (threaded && event.ticket > 0) {
          program.steps.push_back(
              {Step::Type::kWait, {}, static_cast<std::int64_t>(event.ticket) - first});
        }
        break;
    }
  }
  return program;
}

class Simulation {
 public:
  Simulation(const Program& program, const Cluster& cluster)
      : program_(program), cluster_(cluster) {}

  // The next step of the same program.
  StepTime run() {
    time_ = {};
    for (const Step& step : program_.steps) {
      switch (step.type) {
        case Step::Type::kWork:
          compute(step.work);
          break;
        case Step::Type::kSubmit:
          submitted_.push_back(&program_.tasks[static_cast<std::size_t>(step.task)]);
          break;
        case Step::Type::kWait:
          wait_for(begin_ + step.task);
          break;
      }
    }
    begin_ += static_cast<std::int64_t>(program_.tasks.size());
    return time_;
  }

 private:
  void spend(double seconds, Spent what) {
    time_.seconds += seconds;
    time_.spent[static_cast<std::size_t>(what)] += seconds;
  }

  // Drops what takes no time; false where nothing is left to communicate.
  bool communicating() {
    while (!submitted_.empty()) {
      const std::vector<Work>& work = *submitted_.front();
      while (at_ < work.size() && work[at_].seconds - done_ <= 0) {
        ++at_;
        done_ = 0;
      }
      if (at_ < work.size()) return true;
      submitted_.pop_front();
      at_ = 0;
      done_ = 0;
      ++finished_;
    }
    return false;
  }
  const Work& communication() const { return (*submitted_.front())[at_]; }
  double communication_left() const { return communication().seconds - done_; }
  // Rounding must not leave a rest that time cannot reach.
  void communicate(double seconds) {
    done_ =
        seconds >= communication_left() * (1 - 1e-12) ? communication().seconds : done_ + seconds;
  }

  void compute(const Work& work) {
    double left = work.seconds;
    while (left > 0) {
      if (!communicating()) return spend(left, work.spent);
      const double until_computed = left / cluster_.overlap_compute;
      const double until_sent = communication_left() / cluster_.overlap_communication;
      const double passed = std::min(until_computed, until_sent);
      left = passed >= until_computed ? 0 : left - passed * cluster_.overlap_compute;
      time_.communication += passed;
      communicate(passed * cluster_.overlap_communication);
      spend(passed, work.spent);
    }
  }

  // What is behind the task has not begun when it returns.
  void wait_for(std::int64_t task) {
    while (communicating() && finished_ <= task) {
      const double left = communication_left();
      time_.communication += left;
      spend(left, communication().spent);
      communicate(left);
    }
    EDT_ASSERT(finished_ > task);
  }

  const Program& program_;
  const Cluster& cluster_;
  StepTime time_;
  std::deque<const std::vector<Work>*> submitted_;
  std::size_t at_ = 0;                     // of the front task's work
  double done_ = 0;                        // seconds of that work
  std::int64_t finished_ = 0, begin_ = 0;  // tasks, since the beginning
};

}  // namespace

std::string_view name_of(Spent spent) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(Spent::kCount)> kNames{
      "matrix products",    "attention",        "rows",   "flat buffers", "tensor ranks",
      "gradient reduction", "weight gathering", "scalars"};
  return kNames[static_cast<std::size_t>(spent)];
}

StepTime simulate(const Trace& trace, const SimulatedMesh& mesh, const Cluster& cluster) {
  const Program program = compile(trace, mesh, cluster);
  Simulation simulation(program, cluster);
  simulation.run();  // its rest is still on its way when the next one begins
  return simulation.run();
}

}  // namespace edt
