#include "core/ops/cases/case_run.h"

#include <optional>

namespace edt {
namespace {

// Every 16-bit half is a NaN, so that every type sees them.
void fill_with_nan(Device& device, const Tensor& tensor) {
  const std::vector<unsigned char> ones(tensor.bytes(), 0xff);
  device.upload(ones.data(), tensor);
}

constexpr std::size_t kSlabBytes = 8 << 20;

void dirty(Device& device, Arena& arena) {
  const Tensor block = arena.make({kSlabBytes / 4}, DType::kFloat32);
  fill_with_nan(device, block);
  arena.release(block.data);
}

void collect_outputs(CaseInputs& inputs, std::vector<CaseValues>& found) {
  for (const auto& entry : inputs.entries()) {
    if (entry->is_output)
      found.push_back({entry->name, read_values(inputs.backend(), entry->value)});
  }
}

void collect_gradients(Tape& tape, CaseInputs& inputs, std::vector<CaseValues>& found) {
  for (const auto& entry : inputs.entries()) {
    if (!entry->differentiable) continue;
    const Tensor grad = entry->parameter ? entry->parameter->grad : tape.grad_of(entry->leaf);
    EDT_ASSERT(grad.defined());
    found.push_back({"d " + entry->name, read_values(inputs.backend(), grad)});
  }
}

// The op once more, on zeros: what a backend left in memory of its own in the forward pass is of
// another layer by the time of the backward pass.
void run_on_zeros(const OpCase& op_case, Tape& tape, Backend& backend, DType dtype) {
  CaseInputs others(backend, dtype);
  const Tape::NoGrad no_grad(tape);
  op_case.apply(tape, others);
  for (const auto& entry : others.entries()) backend.zero(entry->value);
  op_case.apply(tape, others);
  others.end_step();
  backend.synchronize();  // before the memory of `others` goes
}

}  // namespace

std::vector<double> incoming_gradient(int pass, std::int64_t count) {
  return draw("incoming gradient " + std::to_string(pass), count);
}

std::vector<CaseValues> run_case(const OpCase& op_case, Backend& backend, DType dtype, int passes) {
  Arena arena(backend.memory(), kSlabBytes);
  dirty(backend, arena);
  Profiler profiler;
  Tape tape(backend, arena, profiler, dtype);
  CaseInputs inputs(backend, dtype);
  std::optional<Tape::NoGrad> no_grad;
  if (op_case.inference) no_grad.emplace(tape);

  std::vector<CaseValues> found;
  std::vector<Var> results;
  results.reserve(static_cast<std::size_t>(passes));
  for (int pass = 0; pass < passes; ++pass) results.push_back(op_case.apply(tape, inputs));
  found.push_back({"result", read_values(backend, results.back().tensor())});
  collect_outputs(inputs, found);
  if (results.back().needs_grad()) {
    for (const auto& entry : inputs.entries()) {
      if (entry->parameter) fill_with_nan(backend, entry->parameter->grad);
    }
    for (int pass = 0; pass < passes; ++pass) {
      const Tensor grad = tape.target(results[pass].grad()).tensor;
      write_values(backend, incoming_gradient(pass, grad.elements()), grad);
    }
    results.clear();
    run_on_zeros(op_case, tape, backend, dtype);
    tape.backward();
    collect_gradients(tape, inputs, found);
  }
  inputs.end_step();
  return found;
}

std::vector<double> forward_only(const OpCase& op_case, Tape& tape, CaseInputs& inputs) {
  const Tape::NoGrad no_grad(tape);
  return read_values(inputs.backend(), op_case.apply(tape, inputs).tensor());
}

bool supports(const OpCase& op_case, Backend& backend, DType dtype) {
  try {
    run_case(op_case, backend, dtype, 1);
    return true;
  } catch (const NotImplemented&) {
    return false;
  }
}

}  // namespace edt
