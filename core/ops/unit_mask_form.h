// What pulls the weights of masks down (core/ops/unit_mask.h), for kernels too.
#pragma once

namespace edt {

// Of weights w that lie within the band |w| < d.
enum class SparsityForm {
  kRelu,   // sum of w + d
  kBound,  // l2 norm of d - |w|
  kUprelu  // sum of d - w
};

}  // namespace edt
