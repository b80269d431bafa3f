// What this machine's arithmetic can do at most.
#pragma once

#include "core/base/dtype.h"

namespace edt {

// FLOPs each second of all threads, of multiply-adds of float32, or of dot products of bf16 where
// onednn_has_native_bf16(), whose operands and sums stay in registers; some 20 ms.
double cpu_peak_rate(DType dtype);

}  // namespace edt
