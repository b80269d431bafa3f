#include "core/autograd/tape.h"

#include "core/base/span.h"

namespace edt {

Tape::Tape(Device& device, Arena& arena, Profiler& profiler, DType dtype)
    : device_(device), arena_(arena), profiler_(profiler), dtype_(dtype) {}

Tape::~Tape() {
  while (!nodes_.empty()) {  // a step that ended early, by an exception
    nodes_.back().closure.destroy(nodes_.back().closure.object);
    nodes_.pop_back();
  }
  for (Value& value : values_) release_grad(value);
}

Var Tape::make(const Shape& shape, DType dtype) {
  if (spans_are_heard()) set_span_shape(to_string(shape));
  return {this, add_value(allocate(shape, dtype, capacity_), true)};
}

Var Tape::leaf(const Tensor& tensor, bool needs_grad) {
  const std::int32_t id = add_value(tensor, false);
  value(id).needs_grad = needs_grad;
  return {this, id};
}

Var Tape::view(const Var& whole, const Tensor& part) {
  const std::int32_t id = add_value(part, false);
  value(id).whole = whole.id_;
  retain(whole.id_);
  ++live_references_;
  return {this, id};
}

std::int32_t Tape::add_value(const Tensor& data, bool owned) {
  values_.push_back({.data = data,
                     .capacity = owned ? capacity_ : Capacity::Ratio{},
                     .references = 1,
                     .owned = owned});
  ++live_references_;
  return static_cast<std::int32_t>(values_.size()) - 1;
}

Tensor Tape::allocate(const Shape& shape, DType dtype, const Capacity::Ratio& capacity) {
  Tensor tensor{nullptr, shape, dtype};
  const auto now = static_cast<std::size_t>(capacity.now),
             most = static_cast<std::size_t>(capacity.most);
  EDT_ASSERT(tensor.bytes() % now == 0);
  tensor.data = arena_.allocate(tensor.bytes() / now * most);
  return tensor;
}

void Tape::release(std::int32_t id) {
  Value& v = value(id);
  EDT_ASSERT(v.references > 0);
  --live_references_;
  if (--v.references > 0) return;
  if (v.owned) {
    arena_.release(v.data.data);
    v.data.data = nullptr;
  }
  if (v.whole >= 0) release(std::exchange(v.whole, -1));
}

void Tape::release_grad(Value& value) {
  if (value.grad_owned) arena_.release(value.grad.data);
  value.grad = {};
  value.grad_owned = false;
}

void Tape::count_uses(std::initializer_list<Parameter*> parameters) {
  for (Parameter* parameter : parameters) {
    if (parameter != nullptr) ++parameter->pending_uses;
  }
}

void Tape::push_node(std::string_view name, const Var& output,
                     std::initializer_list<Parameter*> parameters, ClosureStack::Entry closure) {
  EDT_ASSERT(parameters.size() <= Node::kMaxParameters);
  Node node{.name = name, .output = output.id_, .closure = closure};
  std::copy(parameters.begin(), parameters.end(), node.parameters.begin());
  nodes_.push_back(node);
  value(output.id_).needs_grad = true;
}

void Tape::backward(const Var& root, double seed) {
  device_.fill(target(root.grad()).tensor, seed);
  backward();
}

void Tape::backward() {
  while (!nodes_.empty()) run_top_node();
}

// Popping before running lets a recompute node push the nodes of its second run in its own place.
void Tape::run_top_node() {
  const Node node = nodes_.back();
  nodes_.pop_back();
  if (node.runs_anyway && !value(node.output).grad.defined()) accumulator({node.output});
  if (value(node.output).grad.defined()) {
    OutputGrad grad(*this, node.output);
    if (spans_are_heard()) set_span_shape(to_string(value(node.output).data.shape));
    node.closure.run(node.closure.object, *this, grad);
  }
  release_grad(value(node.output));
  node.closure.destroy(node.closure.object);
  closures_.rewind(nodes_.empty() ? nullptr : &nodes_.back().closure);
  for (Parameter* parameter : node.parameters) {
    if (parameter != nullptr) finish_use(*parameter);
  }
}

void Tape::finish_use(Parameter& parameter) {
  EDT_ASSERT(parameter.pending_uses > 0);
  if (--parameter.pending_uses > 0) return;
  if (!parameter.grad_written) device_.zero(target(parameter).tensor);
  if (owner_ != nullptr) owner_->gradient_final(parameter);
}

GradTarget Tape::target(GradRef ref) {
  if (!ref) return {};
  Value& v = value(ref.id);
  if (v.grad.defined()) return {v.grad, true};
  v.grad = allocate(v.data.shape, v.data.dtype, v.capacity);
  v.grad_owned = true;
  return {v.grad, false};
}

Tensor Tape::accumulator(GradRef ref) {
  const GradTarget into = target(ref);
  if (into.wanted() && !into.accumulate) device_.zero(into.tensor);
  return into.tensor;
}

GradTarget Tape::target(Parameter& parameter) {
  if (owner_ != nullptr && !parameter.grad_written) owner_->before_write(parameter);
  return {parameter.grad, std::exchange(parameter.grad_written, true)};
}

Tensor Tape::grad_of(const Var& leaf) const { return value(leaf.id_).grad; }

void OutputGrad::give_to(GradRef to) {
  if (!to) return;
  Tape::Value& from = tape_.value(id_);
  Tape::Value& into = tape_.value(to.id);
  if (into.grad.defined()) {
    tape_.device_.add_into(from.grad.reshaped(into.grad.shape), into.grad);
    return;
  }
  into.grad = from.grad.reshaped(into.data.shape);
  into.grad_owned = std::exchange(from.grad_owned, false);
}

void Tape::clear() {
  EDT_ASSERT(nodes_.empty() && live_references_ == 0);
  for (Value& value : values_) release_grad(value);
  values_.clear();
}

}  // namespace edt
