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

}  // namespace

bool gate_norm_vectors(const GateNormCall& call) {
  return norm_vectors(call) && vectors_fit(call.gate) && aligned16(call.h) && aligned16(call.sum) &&
         aligned16(call.dh);
}

void launch_gate_norm_forward(cudaStream_t stream, const RowPlan& plan, const GateNormCall& call,
                              float epsilon) {
  with_gated_form(plan, call, [&]<class T, int kVec, bool kRms>() {
    launch_programmatic({stream, "gate_norm forward", grid_of(plan, call.batch), plan.threads},
                        norm_forward<T, kVec, 1, kRms, GateNormCall, kMostThreads<kVec>>, call,
                        static_cast<int>(plan.rows_per_slice), epsilon);
  });
}

void launch_gate_norm_backward(cudaStream_t stream, const RowPlan& plan, const GateNormCall& call) {
  with_gated_form(plan, call, [&]<class T, int kVec, bool kRms>() {
    const auto with_threads = [&]<int kThreads>() {
      launch_programmatic({stream, "gate_norm backward", grid_of(plan, call.batch), plan.threads},
                          norm_backward<T, kVec, 1, kRms, GateNormCall, kThreads>, call,
                          static_cast<int>(plan.rows_per_slice));
    };
    if (kVec > 1 && plan.threads <= kNarrowThreads) {
      with_threads.template operator()<kNarrowThreads>();
    } else {
      with_threads.template operator()<kMostThreads<kVec>>();
    }
  });
}

}  // namespace edt
