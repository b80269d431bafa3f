#include "core/ops/unit_gate.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/random.h"
#include "core/cuda/kernels/unit_gate.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

UnitGateCall unit_gate_call(const Tensor& logits, const Tensor& noise, std::int64_t first,
                            const Shape& gates) {
  UnitGateCall call{.dtype = element_of(logits),
                    .batch = logits.shape[0],
                    .rows = gates[0],
                    .units = logits.shape[1],
                    .lead = gates[1] - logits.shape[1],
                    .logits = logits.data};
  if (!noise.defined()) return call;
  call.draws = noise.as<float>() + first;
  call.draw_columns = noise.shape[1];
  return call;
}

ShareGates share_gates(const Tensor& gates, const GradTarget& gradient = {}) {
  ShareGates of{.columns = gates.shape[1], .gates = gates.as<float>()};
  if (gradient.wanted()) of.gradient = gradient.tensor.as<float>();
  of.accumulate = gradient.accumulate;
  return of;
}

}  // namespace

void CudaBackend::random_logistic(random::StreamKey key, T samples, T out) {
  check_batch("random_logistic", out.shape[0]);
  launch_random_logistic(stream(), key, samples.as<std::int32_t>(), out.as<float>(), out.shape[0],
                         out.shape[1]);
}

void CudaBackend::unit_gate_forward(T logits, T noise, std::int64_t first, T gates) {
  launch_unit_gate_forward(stream(), unit_gate_call(logits, noise, first, gates.shape),
                           gates.as<float>());
}

void CudaBackend::unit_gate_backward(T dgates, T logits, T noise, std::int64_t first, double tau,
                                     G dlogits) {
  UnitGateCall call = unit_gate_call(logits, noise, first, dgates.shape);
  call.tau = static_cast<float>(tau);
  call.dgates = dgates.as<float>();
  call.dlogits = dlogits.tensor.data;
  call.accumulate = dlogits.accumulate;
  launch_unit_gate_backward(stream(), call);
}

void CudaBackend::unit_share_forward(T heads, T hidden, T tokens, double attention, double mlp,
                                     T share) {
  launch_unit_share_forward(stream(),
                            {.batch = share.shape[0],
                             .rows = heads.shape[0],
                             .attention = static_cast<float>(attention),
                             .mlp = static_cast<float>(mlp),
                             .heads = share_gates(heads),
                             .hidden = share_gates(hidden),
                             .tokens = share_gates(tokens)},
                            share.as<float>());
}

void CudaBackend::unit_share_backward(T dshare, T heads, T hidden, T tokens, double attention,
                                      double mlp, G dheads, G dhidden, G dtokens) {
  launch_unit_share_backward(stream(),
                             {.batch = dshare.shape[0],
                              .rows = heads.shape[0],
                              .attention = static_cast<float>(attention),
                              .mlp = static_cast<float>(mlp),
                              .heads = share_gates(heads, dheads),
                              .hidden = share_gates(hidden, dhidden),
                              .tokens = share_gates(tokens, dtokens)},
                             dshare.as<float>());
}

void CudaBackend::share_penalty_forward(T share, T target, T losses, T penalty) {
  launch_share_penalty_forward(stream(), share.as<float>(), share.elements(), target.as<float>(),
                               losses.as<float>(), penalty.as<float>());
}

void CudaBackend::share_penalty_backward(T dpenalty, T share, T target, G dshare) {
  launch_share_penalty_backward(stream(), dpenalty.as<float>(), share.as<float>(), share.elements(),
                                target.as<float>(), dshare.tensor.as<float>(), dshare.accumulate);
}

}  // namespace edt
