#include "core/ops/gate_norm.h"

#include <memory>

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

constexpr std::string_view kGateNorm = "gate_norm";

// Columns of the modulations, or of their gradients.
struct Chunks {
  Columns gate, shift, scale;
};

struct ChunkPlaces {
  std::int64_t width;
  int gate;
  ModulationChunks norm;

  Chunks of(const Tensor& of_gate, const Tensor& of_norm) const {
    const auto chunk = [&](const Tensor& of, int i) { return Columns{of, i * width, width}; };
    const bool shifts = norm.shift != ModulationChunks::kNoShift;
    return {chunk(of_gate, gate), shifts ? chunk(of_norm, norm.shift) : Columns{},
            chunk(of_norm, norm.scale)};
  }
};

void check_chunks(const Var& x, const Var& modulation, std::int64_t last) {
  const Shape &shape = x.shape(), &columns = modulation.shape();
  require(columns.rank() == 2 && columns[0] == shape[0] && columns[1] >= (last + 1) * shape[2],
          kGateNorm, "modulation is {}, input is {}, chunk {} is needed", to_string(columns),
          to_string(shape), last);
}

void check_gate_norm(const Var& x, const GateChunk& gate, const Var& h, const NormChunks& norm) {
  check_shape(kGateNorm, "branch", h.shape(), x.shape());
  require(x.shape().rank() == 3, kGateNorm, "input is {}, expected [B, T, D]",
          to_string(x.shape()));
  if (norm.weight != nullptr) {
    check_shape(kGateNorm, norm.weight->name, norm.weight->shape, {x.shape()[2]});
  }
  check_chunks(x, gate.modulation, gate.gate);
  check_chunks(x, norm.modulation, std::max(norm.chunks.shift, norm.chunks.scale));
}

}  // namespace

GateNorm gate_norm(Tape& tape, const Var& x, const GateChunk& gate, const Var& h,
                   const NormChunks& norm) {
  check_gate_norm(x, gate, h, norm);
  const ChunkPlaces places{x.shape()[2], gate.gate, norm.chunks};
  const Var gates = gate.modulation, modulation = norm.modulation;
  Parameter* const weight = norm.weight;
  const auto value_of = [weight](Tape& t) { return weight ? t.read(*weight) : Tensor{}; };
  Var sum = tape.make(x.shape());
  Var y = tape.make(x.shape());
  Var stats = tape.make({x.shape().rows(), 2}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "gate_norm.forward");
    const auto [by, shift, scale] = places.of(gates.tensor(), modulation.tensor());
    backend_of(tape).gate_norm_forward(x.tensor(), {h.tensor(), by}, {value_of(tape), shift, scale},
                                       sum.tensor(), y.tensor(), stats.tensor());
  }
  // Two nodes, since a node has one output. What else reads the sum is recorded behind both, so its
  // gradient is there when that of y is. Where none of y is, the sum is a gated residual alone.
  const auto norm_has_run = tape.recording() ? std::make_shared<bool>(false) : nullptr;
  tape.record("gate_norm sum", sum, {}, [=, dx = x.grad()](Tape& t, OutputGrad& dsum) {
    if (!*norm_has_run) {
      Profiler::Scope scope(t.profiler(), "gate_residual.backward");
      const Columns by = places.of(gates.tensor(), {}).gate,
                    dgate = places.of(t.accumulator(gates.grad()), {}).gate;
      backend_of(t).gate_residual_backward(dsum.tensor(), by, h.tensor(), t.target(h.grad()),
                                           dgate);
    }
    dsum.give_to(dx);
  });
  tape.record("gate_norm", y, {weight}, [=](Tape& t, OutputGrad& dy) {
    *norm_has_run = true;
    Profiler::Scope scope(t.profiler(), "gate_norm.backward");
    const auto [by, shift, scale] = places.of(gates.tensor(), modulation.tensor());
    const auto [dgate, dshift, dscale] =
        places.of(t.accumulator(gates.grad()), t.accumulator(modulation.grad()));
    backend_of(t).gate_norm_backward(dy.tensor(), sum.tensor(), stats.tensor(), {h.tensor(), by},
                                     {value_of(t), shift, scale}, t.target(sum.grad()),
                                     {t.target(h.grad()), dgate},
                                     {weight ? t.target(*weight) : GradTarget{}, dshift, dscale});
  });
  return {sum, y};
}

}  // namespace edt
