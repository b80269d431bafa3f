// How a kernel that works on rows is started, for its plan.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/cuda/kernels/rows.h"
#include "core/cuda/kernels/vector.cuh"

namespace edt {

// Calls f<T, columns of a thread>().
template <class F>
void with_vector(const RowPlan& plan, DType dtype, F&& f) {
  with_element(dtype, [&]<class T>(T) {
    if (plan.vector == 1) {
      f.template operator()<T, 1>();
    } else {
      f.template operator()<T, kVector>();
    }
  });
}

inline dim3 grid_of(const RowPlan& plan, std::int64_t batch) {
  return {static_cast<unsigned>(plan.slices), static_cast<unsigned>(batch)};
}

}  // namespace edt
