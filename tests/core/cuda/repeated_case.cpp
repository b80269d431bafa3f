#include "tests/core/cuda/repeated_case.h"

#include <cstring>
#include <optional>

#include "core/base/clock.h"
#include "core/ops/cases/case_run.h"

namespace edt::test {
namespace {

// Bits that a case has computed, one tensor after the other in memory of the device.
class Results {
 public:
  explicit Results(Device& device) : device_(device) {}

  // In the order of the first time, which finds out how many they are.
  void keep(const std::string& name, const Tensor& tensor) {
    if (next_ == kept_.size()) kept_.push_back({name, Block(device_.memory(), tensor.bytes()), {}});
    Kept& kept = kept_[next_++];
    kept.tensor = {kept.memory.data(), tensor.shape, tensor.dtype};
    device_.copy(tensor, kept.tensor);
  }
  void begin() { next_ = 0; }

  void remember() {
    for (Kept& kept : kept_) {
      kept.first = Block(device_.staging(), kept.tensor.bytes());
      kept.now = Block(device_.staging(), kept.tensor.bytes());
      device_.download(kept.tensor, kept.first.data());
    }
  }

  // What has other bits than those that are remembered.
  std::string difference() const {
    for (const Kept& kept : kept_) {
      device_.download(kept.tensor, kept.now.data());
      if (std::memcmp(kept.now.data(), kept.first.data(), kept.tensor.bytes()) != 0)
        return kept.name;
    }
    return "";
  }

 private:
  struct Kept {
    std::string name;
    Block memory;
    Tensor tensor;
    Block first = {}, now = {};
  };

  Device& device_;
  std::vector<Kept> kept_;
  std::size_t next_ = 0;
};

class RepeatedCase {
 public:
  RepeatedCase(const OpCase& op_case, Backend& backend, DType dtype)
      : op_case_(op_case),
        backend_(backend),
        arena_(backend.memory(), std::size_t{1} << 20),
        tape_(backend, arena_, profiler_, dtype),
        inputs_(backend, dtype),
        results_(backend) {
    if (op_case.inference) no_grad_.emplace(tape_);
  }
  ~RepeatedCase() { backend_.synchronize(); }  // before memory goes that is being used

  // Forward, backward, and copies of what they gave.
  void run() {
    results_.begin();
    Var result = op_case_.apply(tape_, inputs_);
    results_.keep("result", result.tensor());
    for (const auto& entry : inputs_.entries()) {
      if (entry->is_output) results_.keep(entry->name, entry->value);
    }
    if (result.needs_grad()) run_backward(result);
    result = {};
    inputs_.end_step();
    tape_.clear();
  }

  Results& results() { return results_; }

 private:
  void run_backward(Var& result) {
    const Tensor grad = tape_.target(result.grad()).tensor;
    if (incoming_.bytes() == 0) {
      incoming_ = Block(backend_.memory(), grad.bytes());
      write_values(backend_, incoming_gradient(0, grad.elements()), incoming(grad));
    }
    backend_.copy(incoming(grad), grad);
    result = {};
    tape_.backward();
    for (const auto& entry : inputs_.entries()) {
      if (!entry->differentiable) continue;
      results_.keep("d " + entry->name,
                    entry->parameter ? entry->parameter->grad : tape_.grad_of(entry->leaf));
    }
  }
  Tensor incoming(const Tensor& like) const { return {incoming_.data(), like.shape, like.dtype}; }

  const OpCase& op_case_;
  Backend& backend_;
  Arena arena_;
  Profiler profiler_;
  Tape tape_;
  CaseInputs inputs_;
  Results results_;
  Block incoming_;
  std::optional<Tape::NoGrad> no_grad_;
};

// Of work that has run before; nullptr where it does what a graph does not allow.
std::unique_ptr<Graph> captured(RepeatedCase& repeated, Backend& backend) {
  try {
    return backend.capture([&] { repeated.run(); });
  } catch (const CudaError&) {
    return nullptr;
  }
}

}  // namespace

Repeats repeat_case(const OpCase& op_case, Backend& backend, DType dtype, int most,
                    double seconds) {
  auto repeated = std::make_unique<RepeatedCase>(op_case, backend, dtype);
  repeated->run();
  repeated->results().remember();
  Repeats repeats;
  const auto compare = [&] {
    ++repeats.times;
    repeats.differs = repeated->results().difference();
    return repeats.differs.empty();
  };
  const std::unique_ptr<Graph> graph = captured(*repeated, backend);
  if (graph != nullptr && !compare()) return repeats;
  if (graph == nullptr) {  // what was begun is in no state to go on with
    repeated = std::make_unique<RepeatedCase>(op_case, backend, dtype);
    repeated->run();
    repeated->results().remember();
  }
  const auto begin = Clock::now();
  while (repeats.times < most && (repeats.times == 0 || seconds_since(begin) < seconds)) {
    graph != nullptr ? graph->replay() : repeated->run();
    if (!compare()) break;
  }
  return repeats;
}

}  // namespace edt::test
