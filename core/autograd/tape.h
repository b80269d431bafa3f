// The tape: ops push a node with what their backward needs; backward() walks back once.
//
// Values are reference counted: a tensor goes back to the arena when neither a Var nor a node that
// has yet to run backward refers to it. Gradients appear with their first contribution and go when
// the node that produced the value has consumed them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/autograd/closure_stack.h"
#include "core/autograd/parameter.h"
#include "core/base/profiler.h"
#include "core/tensor/arena.h"
#include "core/tensor/device.h"

namespace edt {

class Tape;

// Names the gradient of a value without keeping its data alive. Empty: no gradient is wanted.
struct GradRef {
  std::int32_t id = -1;
  explicit operator bool() const { return id >= 0; }
};

// Where a backward kernel writes. `accumulate` false: overwrite. Undefined tensor: not wanted.
struct GradTarget {
  Tensor tensor;
  bool accumulate = false;
  bool wanted() const { return tensor.defined(); }
};

// A counted handle to a value of the tape.
class Var {
 public:
  Var() = default;
  Var(const Var& other);
  Var(Var&& other) noexcept
      : tape_(std::exchange(other.tape_, nullptr)), id_(std::exchange(other.id_, -1)) {}
  Var& operator=(Var other) noexcept {
    std::swap(tape_, other.tape_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~Var();

  explicit operator bool() const { return tape_ != nullptr; }
  // By value: the tape's table of values moves when it grows.
  Tensor tensor() const;
  Shape shape() const { return tensor().shape; }
  DType dtype() const { return tensor().dtype; }
  bool needs_grad() const;
  GradRef grad() const { return needs_grad() ? GradRef{id_} : GradRef{}; }

 private:
  friend class Tape;
  Var(Tape* tape, std::int32_t id) : tape_(tape), id_(id) {}

  Tape* tape_ = nullptr;
  std::int32_t id_ = -1;
};

// The gradient that arrives at a node, for its backward to read or to hand on.
class OutputGrad {
 public:
  Tensor tensor() const;
  // Identity backward: `to` receives this gradient, without a copy where it has none yet.
  // After this the tensor may belong to `to`: call it last.
  void give_to(GradRef to);

 private:
  friend class Tape;
  OutputGrad(Tape& tape, std::int32_t id) : tape_(tape), id_(id) {}
  Tape& tape_;
  std::int32_t id_;
};

class Tape {
 public:
  // `dtype` is the type of activations: float32, bf16, or float64 for gradient checks.
  Tape(Device& device, Arena& arena, Profiler& profiler, DType dtype);
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape();

  Device& device() { return device_; }
  Profiler& profiler() { return profiler_; }
  Arena& arena() { return arena_; }
  DType dtype() const { return dtype_; }
  // Type of statistics, losses and parameter gradients: float64 on a float64 tape, else float32.
  DType accurate_dtype() const { return dtype_ == DType::kFloat64 ? dtype_ : DType::kFloat32; }

  // A new uninitialised value.
  Var make(const Shape& shape, DType dtype);
  Var make(const Shape& shape) { return make(shape, dtype_); }
  // A value over a part of another's memory, which it keeps alive. Its gradient is its own.
  Var view(const Var& whole, const Tensor& part);
  // A value over memory that outlives the step; `needs_grad` makes it a leaf with a gradient.
  Var leaf(const Tensor& tensor, bool needs_grad = false);

  // Pushes the node that computed `output` with `parameters`. `backward` is called as
  // backward(Tape&, OutputGrad&) and may hold Vars and GradRefs by value.
  template <class F>
  void record(std::string_view name, const Var& output,
              std::initializer_list<Parameter*> parameters, F&& backward);

  // The node recorded last runs in backward though nothing arrives at its output, with zeros then:
  // parameters are used in it.
  void run_last_anyway() {
    if (recording_) nodes_.back().runs_anyway = true;
  }

  // Runs `forward` (Var()) without recording its nodes and runs it again when backward needs them.
  template <class F>
  Var recompute(F forward);

  // True where ops must save what their backward needs.
  bool recording() const { return recording_; }

  // Seeds d(root) with `seed` in every element and walks back.
  void backward(const Var& root, double seed = 1.0);
  // Walks back from the gradients that are there.
  void backward();
  std::size_t recorded_nodes() const { return nodes_.size(); }

  // The value of a parameter, for kernels. It stays valid until the next parameter is asked for.
  const Tensor& read(Parameter& parameter) {
    if (owner_ != nullptr) owner_->before_read(parameter);
    return parameter.value;
  }
  // Whether reading it waits for nothing, and what was read stays valid while others are asked for.
  bool is_resident(const Parameter& parameter) const {
    return owner_ == nullptr || owner_->is_resident(parameter);
  }

  // For backward functions: where to write the gradient of a value or parameter.
  GradTarget target(GradRef ref);
  // As target(), zero-filled at first use: for kernels that add to some columns only.
  Tensor accumulator(GradRef ref);
  GradTarget target(Parameter& parameter);
  // The gradient of a leaf after backward; undefined where nothing arrived.
  Tensor grad_of(const Var& leaf) const;

  // Told of every use of a parameter; nullptr: nobody. The gradient of a parameter that was used
  // but received nothing is zero.
  void set_parameter_owner(ParameterOwner* owner) { owner_ = owner; }

  // Forgets all values; no Var may be alive. Call between steps.
  void clear();

  // Scope in which values get memory for `most` of something where they hold `now` of it: what
  // varies from step to step leaves the arena's layout as it is. The number of bytes of every value
  // made inside is a multiple of `now`.
  class Capacity {
   public:
    Capacity(Tape& tape, std::int64_t most, std::int64_t now)
        : tape_(tape), before_(std::exchange(tape.capacity_, {most, now})) {
      EDT_ASSERT(now >= 1 && most >= now);
    }
    ~Capacity() { tape_.capacity_ = before_; }
    Capacity(const Capacity&) = delete;
    Capacity& operator=(const Capacity&) = delete;

   private:
    friend class Tape;
    struct Ratio {
      std::int64_t most = 1, now = 1;
    };
    Tape& tape_;
    Ratio before_;
  };

  // Scope in which nothing is recorded: sampling and evaluation.
  class NoGrad {
   public:
    explicit NoGrad(Tape& tape) : tape_(tape), before_(std::exchange(tape.recording_, false)) {}
    ~NoGrad() { tape_.recording_ = before_; }
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

   private:
    Tape& tape_;
    bool before_;
  };

 private:
  friend class Var;
  friend class OutputGrad;

  struct Value {
    Tensor data;
    Tensor grad;
    Capacity::Ratio capacity;  // of data, and of grad
    std::int32_t references = 0;
    std::int32_t whole = -1;  // the value whose memory it is a part of
    bool owned = false;
    bool needs_grad = false;
    bool grad_owned = false;
  };
  struct Node {
    static constexpr std::size_t kMaxParameters = 6;
    std::string_view name;
    std::int32_t output = -1;
    std::array<Parameter*, kMaxParameters> parameters{};
    ClosureStack::Entry closure;
    bool runs_anyway = false;  // also without a gradient
  };

  Value& value(std::int32_t id) { return values_[static_cast<std::size_t>(id)]; }
  const Value& value(std::int32_t id) const { return values_[static_cast<std::size_t>(id)]; }
  std::int32_t add_value(const Tensor& data, bool owned);
  Tensor allocate(const Shape& shape, DType dtype, const Capacity::Ratio& capacity);
  void retain(std::int32_t id) { ++value(id).references; }
  void release(std::int32_t id);
  void release_grad(Value& value);
  void count_uses(std::initializer_list<Parameter*> parameters);
  void push_node(std::string_view name, const Var& output,
                 std::initializer_list<Parameter*> parameters, ClosureStack::Entry closure);
  void run_top_node();
  void finish_use(Parameter& parameter);

  Device& device_;
  Arena& arena_;
  Profiler& profiler_;
  DType dtype_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  ClosureStack closures_;
  ParameterOwner* owner_ = nullptr;
  std::int64_t live_references_ = 0;
  Capacity::Ratio capacity_;
  bool recording_ = true;
  bool counting_ = false;   // inside the first, unrecorded run of a recompute scope
  bool replaying_ = false;  // inside its second run: uses are counted already
};

template <class F>
void Tape::record(std::string_view name, const Var& output,
                  std::initializer_list<Parameter*> parameters, F&& backward) {
  if (recording_ ? !replaying_ : counting_) count_uses(parameters);
  if (!recording_) return;
  push_node(name, output, parameters,
            closures_.push([run = std::forward<F>(backward)](Tape& tape, OutputGrad& grad) mutable {
              run(tape, grad);
            }));
}

template <class F>
Var Tape::recompute(F forward) {
  if (!recording_) return forward();
  recording_ = false;
  const bool outer_counting = std::exchange(counting_, !replaying_);
  Var output = forward();
  counting_ = outer_counting;
  recording_ = true;
  record("recompute", output, {}, [forward, capacity = capacity_](Tape& tape, OutputGrad& grad) {
    const bool outer_replaying = std::exchange(tape.replaying_, true);
    const Capacity held(tape, capacity.most, capacity.now);
    tape.profiler_.set_recomputing(true);
    Var again = forward();
    tape.profiler_.set_recomputing(outer_replaying);
    tape.replaying_ = outer_replaying;
    grad.give_to(again.grad());
  });
  run_last_anyway();  // the uses inside end only by running it again
  return output;
}

inline Var::Var(const Var& other) : tape_(other.tape_), id_(other.id_) {
  if (tape_ != nullptr) {
    tape_->retain(id_);
    ++tape_->live_references_;
  }
}
inline Var::~Var() {
  if (tape_ != nullptr) tape_->release(id_);
}
inline Tensor Var::tensor() const {
  EDT_ASSERT(tape_ != nullptr);
  return tape_->value(id_).data;
}
inline bool Var::needs_grad() const { return tape_ != nullptr && tape_->value(id_).needs_grad; }
inline Tensor OutputGrad::tensor() const { return tape_.value(id_).grad; }

}  // namespace edt
