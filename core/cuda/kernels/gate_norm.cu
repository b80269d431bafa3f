#include "core/cuda/kernels/gate_norm.h"

#include "core/cuda/kernels/norm_kernels.cuh"

namespace edt {
namespace {

// Calls f<T, columns of a thread, RMS norm>().
template <class F>
void with_gated_form(const RowPlan& plan, const GateNormCall& call, F&& f) {
  with_vector(plan, call.dtype, [&]<class T, int kVec>() {
    if (call.weight != nullptr) {
      f.template operator()<T, kVec, true>();
    } else {
      f.template operator()<T, kVec, false>();
    }
  });
}

// Calls f<most threads of a block>(): few, where narrow rows leave it at that and it helps.
template <int kVec, bool kHelps, class F>
void with_threads(const RowPlan& plan, F&& f) {
  if constexpr (kHelps) {
    if (plan.threads <= kNarrowThreads) return f.template operator()<kNarrowThreads>();
  }
  f.template operator()<kMostThreads<kVec>>();
}

}  // namespace

bool gate_norm_vectors(const GateNormCall& call) {
  return norm_vectors(call) && vectors_fit(call.gate) && aligned16(call.h) && aligned16(call.sum) &&
         aligned16(call.dh);
}

void launch_gate_norm_forward(cudaStream_t stream, const RowPlan& plan, const GateNormCall& call,
                              float epsilon) {
  with_gated_form(plan, call, [&]<class T, int kVec, bool kRms>() {
    // bf16 has room in fewer registers, for more blocks at once.
    constexpr bool kHelps = kVec > 1 && sizeof(T) == 4;
    with_threads<kVec, kHelps>(plan, [&]<int kThreads>() {
      launch_programmatic({stream, "gate_norm forward", grid_of(plan, call.batch), plan.threads},
                          norm_forward<T, kVec, 1, kRms, GateNormCall, kThreads>, call,
                          static_cast<int>(plan.rows_per_slice), epsilon);
    });
  });
}

void launch_gate_norm_backward(cudaStream_t stream, const RowPlan& plan, const GateNormCall& call) {
  with_gated_form(plan, call, [&]<class T, int kVec, bool kRms>() {
    constexpr bool kHelps = kVec > 1;
    with_threads<kVec, kHelps>(plan, [&]<int kThreads>() {
      launch_programmatic({stream, "gate_norm backward", grid_of(plan, call.batch), plan.threads},
                          norm_backward<T, kVec, 1, kRms, GateNormCall, kThreads>, call,
                          static_cast<int>(plan.rows_per_slice));
    });
  });
}

}  // namespace edt
